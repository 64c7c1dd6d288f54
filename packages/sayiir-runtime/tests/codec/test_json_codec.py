"""The JSON codec: what it writes comes back exactly as the value model says."""

from __future__ import annotations

import dataclasses
import enum
import math
import sys
import uuid
from collections import Counter, OrderedDict, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayiir_core.errors import CorruptPayloadError, EncodeError, UnsupportedVersionError
from sayiir_runtime.codec import JsonCodec, PayloadCodec, model
from sayiir_runtime.codec.json_codec import WIDE
from sayiir_runtime.codec.json_text import read_wide, write_text
from sayiir_runtime.codec.value import MAX_DEPTH

CODEC = JsonCodec()
PAYLOADS = PayloadCodec([CODEC])

texts = st.text(st.characters(exclude_categories=[]), max_size=8)
integers = st.one_of(
    st.integers(),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**4200]),
)
scalars = st.one_of(st.none(), st.booleans(), integers, st.floats(), texts)
keys = st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(texts, inner, max_size=5),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=20,
)
foreign = st.sampled_from(
    [b"x", uuid.UUID(int=1), Decimal(1), datetime.now(UTC), object(), {1}, complex(1), ..., int]
)


class Plain(enum.Enum):
    A = "a"


class Word(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    A = 1


class Text(str):
    __slots__ = ()


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the untyped kind is meant


@dataclasses.dataclass
class Row:
    """A dataclass, which orjson would take by itself."""

    number: int = 1


def exact(value: Any) -> Any:
    """Return something that is equal only for equal types too, and for NaN."""
    if isinstance(value, dict):
        return "dict", [(key, exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return "list", [exact(item) for item in value]
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else value.hex()
    return type(value).__name__, value


def round_trip(value: Any) -> Any:
    """Return what comes back from a payload."""
    return PAYLOADS.decode(PAYLOADS.encode(value))


@given(values)
@settings(max_examples=500)
def test_a_value_comes_back_as_the_model_says(value: Any) -> None:
    """SEMANTICS 13: types and all, and what the model refuses is refused."""
    try:
        expected = model(value)
    except EncodeError:
        with pytest.raises(EncodeError):
            PAYLOADS.encode(value)
    else:
        assert exact(expected) == exact(round_trip(value))


@given(values, foreign)
@settings(max_examples=200)
def test_a_foreign_object_is_refused_wherever_it_stands(value: Any, guest: Any) -> None:
    """SEMANTICS 14: it never slips through next to values that are fine."""
    for host in ([value, guest], {"a": value, "b": (guest,)}, [{"a": {"b": guest}}, value]):
        with pytest.raises(EncodeError):
            PAYLOADS.encode(host)


@given(values)
@settings(max_examples=200)
def test_the_writer_and_orjson_agree_byte_for_byte(value: Any) -> None:
    """Equal values have equal bytes, whichever way they were written."""
    try:
        flags, body = CODEC.encode(value)
    except EncodeError:
        return

    text, wide = write_text(value)

    assert (flags, body) == (WIDE if wide else 0, text + b"\n")


@given(values)
def test_equal_values_have_equal_payloads(value: Any) -> None:
    """What was read is written again as the same bytes."""
    try:
        payload = PAYLOADS.encode(value)
    except EncodeError:
        return

    assert payload == PAYLOADS.encode(PAYLOADS.decode(payload))


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (2**64 - 1, 0),
        (-(2**63), 0),
        (2**64, WIDE),
        (-(2**63) - 1, WIDE),
        (2**70, WIDE),
        ({"a": [2**70]}, WIDE),
        (math.nan, WIDE),
        ([math.inf, None], WIDE),
        ({"a": -math.inf}, WIDE),
        ("\ud800", WIDE),
        ({"\udfff": 1}, WIDE),
        ("\ud83d\ude00", WIDE),
        ("null", 0),
        ({"null": None}, 0),
        ((None,), 0),
        ({1: None}, 0),
        (-0.0, 0),
        pytest.param(10**6000, WIDE, id="6001 digits"),
    ],
)
def test_only_what_plain_json_loses_is_flagged_as_wide(value: Any, flags: int) -> None:
    """The flag selects the slower reader, so it is set where it is needed and nowhere else."""
    flag, _ = CODEC.encode(value)

    assert flags == flag
    assert exact(model(value)) == exact(round_trip(value))


@pytest.mark.parametrize(
    "value",
    [
        Plain.A,
        Word.A,
        Number.A,
        uuid.UUID(int=5),
        Text("x"),
        Row,
        Decimal(1),
        datetime.now(UTC),
        datetime.now(UTC).date(),
        b"x",
        {1, 2},
        Pair(1, 2),
        Counter("aab"),
        OrderedDict(a=1),
        SimpleNamespace(),
        range(3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_refusal_names_the_place_and_the_remedy(value: Any) -> None:
    """SEMANTICS 14: a TypeError that says where, what, and what to do instead."""
    order = {"orders": [{}, {}, {}, {"when": value}]}

    with pytest.raises(TypeError, match=r"^\$\.orders\[3\]\.when: .+ is not a plain .+; \w+"):
        PAYLOADS.encode(order)


@pytest.mark.parametrize("value", [Plain.A, Word.A, uuid.UUID(int=5)])
def test_a_flat_dict_hides_no_enum_or_uuid(value: Any) -> None:
    """The shortcut for dicts of strings and numbers does not cover what orjson lets pass."""
    flat = {"a": 1, "b": "text"}
    flat["c"] = value

    with pytest.raises(EncodeError, match=r"^\$\.c: "):
        PAYLOADS.encode(flat)


def test_two_keys_that_become_one_are_refused() -> None:
    """``{1: …, "1": …}`` would lose a value silently."""
    with pytest.raises(TypeError, match=r"^\$\.a: two keys of this dict become '1'"):
        PAYLOADS.encode({"a": {1: "x", "1": "y"}})


def test_a_key_that_json_has_no_text_for_is_refused() -> None:
    """Tuples as keys are common in Python, and unknown to JSON."""
    with pytest.raises(EncodeError, match=r"^\$\[0\]: a key of type tuple"):
        PAYLOADS.encode([{(1, 2): 3}])


def test_an_unreadable_place_is_shortened_and_quoted() -> None:
    """A path stays one line, whatever the keys are."""
    value: Any = object()
    for _ in range(50):
        value = {"a key\nwith lines \ud800": {10**5000: value}}

    with pytest.raises(EncodeError) as caught:
        PAYLOADS.encode(value)

    text = str(caught.value)
    assert text.startswith(r"$['a key\nwith lines \ud800'][…][")
    assert len(text) < 400
    assert "\n" not in text


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 300, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_deep_nesting_is_an_error_and_not_a_crash(levels: int, wrap: Any) -> None:
    """The limit holds for every depth, with or without a reason to leave the fast path."""
    for innermost in (1, 2**70, object()):
        value: Any = innermost
        for _ in range(levels):
            value = wrap(value)

        with pytest.raises(EncodeError, match="more than 254 levels"):
            PAYLOADS.encode(value)


@pytest.mark.parametrize("innermost", [1, 2**70, None, math.nan])
def test_the_deepest_value_allowed_comes_back(innermost: Any) -> None:
    """The limit is the same on the fast path and beside it."""
    value: Any = innermost
    for _ in range(MAX_DEPTH):
        value = (value,)

    found = round_trip(value)

    assert exact(model(value)) == exact(found)


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle is named as what it is, in a list and in a dict."""
    a_list: list[Any] = []
    a_list.append({"again": a_list})
    a_dict: dict[Any, Any] = {}
    a_dict[1] = [a_dict]

    for value in (a_list, a_dict):
        with pytest.raises(EncodeError, match="contains itself"):
            PAYLOADS.encode(value)


def test_encoding_works_on_a_nearly_exhausted_stack() -> None:
    """A caller's own recursion changes no result."""
    value: Any = [None, (1,)]
    for _ in range(200):
        value = [None, value]

    def descend(levels: int) -> bytes:
        return PAYLOADS.encode(value) if levels == 0 else descend(levels - 1)

    frames = len(_stack())

    assert PAYLOADS.encode(value) == descend(sys.getrecursionlimit() - frames - 60)


def test_an_integer_beyond_the_limit_is_refused_with_its_place() -> None:
    """A million digits are enough."""
    with pytest.raises(EncodeError, match=r"^\$\.a: an integer of more than 1,000,000 digits"):
        PAYLOADS.encode({"a": 1 << 3_400_000})


def test_flags_of_a_newer_release_are_refused() -> None:
    """A flag changes the meaning of a body, so an unknown one cannot be ignored."""
    with pytest.raises(UnsupportedVersionError, match="upgrade sayiir-runtime"):
        CODEC.decode(b"1\n", 0, 2)


def test_a_wide_body_nested_beyond_all_limits_is_corrupt() -> None:
    """The reader of wide bodies ends in a named error too."""
    body = b"[" * 200_000 + b"]" * 200_000 + b"\n"

    with pytest.raises(CorruptPayloadError, match="cannot be read"):
        CODEC.decode(body, 0, WIDE)


def test_the_common_value_is_written_by_orjson_alone() -> None:
    """The text of a plain value is what orjson makes of it, plus the end mark."""
    value = {"id": "ord-1", "items": [{"sku": "a", "qty": 1, "price": 1.5}], "note": None}

    flags, body = CODEC.encode(value)

    assert (0, orjson.dumps(value) + b"\n") == (flags, body)


def test_a_wide_text_keeps_surrogate_halves_apart() -> None:
    """Two lone halves next to each other do not melt into one character."""
    text, wide = write_text("\ud83d\ude00")

    assert wide
    assert "\ud83d\ude00" == read_wide(text)


def _stack() -> list[Any]:
    frame: Any = sys._getframe()
    frames: list[Any] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames
