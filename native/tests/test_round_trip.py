"""What is stored comes back: exactly, by the native codec and by the reader in plain Python."""

from __future__ import annotations

import datetime as dt
import enum
import threading
from collections import Counter, namedtuple
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from native.tests.values import HEADER, rich_values, same
from sayiir_core.errors import EncodeError
from sayiir_runtime.codec.rkyv import RkyvReader
from sayiir_runtime.codec.value import MAX_DEPTH, model

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

START = len(HEADER)
READER = RkyvReader()


class Colour(enum.Enum):
    """Something that has no form of its own."""

    RED = 1


def payload(codec: RkyvCodec, value: Any) -> bytes:
    """Return the payload of a value."""
    flags, body = codec.encode(value)
    assert 0 == flags
    return HEADER + body


@given(value=rich_values())
@settings(max_examples=600, deadline=None)
def test_every_value_comes_back_by_each_way_to_read_it(codec: RkyvCodec, value: Any) -> None:
    """Native, by view and by the pure reader: content, types, bits of floats, order of keys."""
    data = payload(codec, value)
    view = codec.view(data, START, 0)

    assert same(value, codec.decode(data, START, 0))
    assert same(value, READER.decode(data, START, 0))
    assert same(value, _plain(view))


@given(value=rich_values())
@settings(max_examples=200, deadline=None)
def test_equal_values_have_equal_bytes(codec: RkyvCodec, value: Any) -> None:
    """A value that was read again is stored in the same bytes."""
    data = payload(codec, value)

    assert data == payload(codec, codec.decode(data, START, 0))


@pytest.mark.parametrize(
    "value",
    [
        None,
        2**70,
        -(2**63) - 1,
        float("-inf"),
        -0.0,
        "\ud800",
        {"a": [1, {"b": None}], "c": [[], {}]},
        [True, 1, 1.0],
    ],
    ids=ascii,
)
def test_values_of_the_json_model_come_back_as_from_json(codec: RkyvCodec, value: Any) -> None:
    """Where JSON changes nothing, the two codecs agree."""
    assert same(model(value), codec.decode(payload(codec, value), START, 0))


def test_an_integer_may_have_a_million_digits_and_no_more(codec: RkyvCodec) -> None:
    """As in JSON payloads; the largest number of bits below a million digits."""
    largest = 2**3_321_928 - 1

    assert largest == codec.decode(payload(codec, largest), START, 0)
    assert -largest == READER.decode(payload(codec, -largest), START, 0)
    with pytest.raises(EncodeError, match=r"^\$\.n: an integer of more than 1,000,000 digits"):
        codec.encode({"n": largest + 1})


def test_bytearrays_and_memoryviews_arrive_as_bytes(codec: RkyvCodec) -> None:
    """Their content is copied, so that later changes do not reach what was stored."""
    value = [bytearray(b"abc"), memoryview(b"abcdef")[::2], {1: bytearray(b"x")}]

    assert [b"abc", b"ace", {1: b"x"}] == codec.decode(payload(codec, value), START, 0)


@pytest.mark.parametrize(
    "wrap", [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, lambda v: {1: v}]
)
def test_the_deepest_value_is_stored_and_one_level_more_is_refused(
    codec: RkyvCodec, wrap: Any
) -> None:
    """In a thread with a small stack as well."""
    value: Any = None
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    seen: list[Any] = []

    def run() -> None:
        data = payload(codec, value)
        seen.extend([codec.decode(data, START, 0), READER.decode(data, START, 0)])
        seen.append(_plain(codec.view(data, START, 0)))
        with pytest.raises(EncodeError, match=r"more than 254 levels; return a flatter value$"):
            codec.encode(wrap(value))

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert [True] * 3 == [each == value for each in seen]


def test_a_value_that_contains_itself_is_refused(codec: RkyvCodec) -> None:
    """Through every kind of container."""
    loop: list[Any] = []
    loop.append({"again": ({1: loop},)})

    with pytest.raises(EncodeError, match="the value contains itself"):
        codec.encode(loop)


class Text(str):
    """A subclass, which would come back as its base."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, {2: object()}]}, r"^\$\.a\[1\]\[2\]: object cannot be stored"),
        ([Colour.RED], r"^\$\[0\]: .*Colour cannot be stored; annotate the task with the type"),
        (
            {"n": Counter("a")},
            r"^\$\.n: collections\.Counter cannot be stored; return dict\(value\)",
        ),
        (Text("a"), r"^\$: .*Text cannot be stored; return str\(value\)"),
        ({Text("a"): 1}, r"^\$\.a: .*Text cannot be stored; return str\(value\)"),
        (namedtuple("Pair", "a b")(1, 2), r"Pair cannot be stored; return tuple\(value\)"),  # noqa: PYI024
        ({frozenset({Colour.RED})}, r"^\$\{…\}\{…\}: .*Colour cannot be stored"),
        ({"k y": {"\n": iter(())}}, r"^\$\['k y'\]\['\\n'\]: "),
        (
            [dt.datetime(2026, 1, 1, tzinfo=type("Own", (dt.tzinfo,), {})())],
            r"^\$\[0\]: a time in the zone Own cannot be stored; use zoneinfo",
        ),
    ],
    ids=["object", "enum", "counter", "text", "key", "named tuple", "set", "odd keys", "zone"],
)
def test_a_refused_value_is_named_by_its_place_and_a_remedy(
    codec: RkyvCodec, value: Any, problem: str
) -> None:
    """The place is found however quickly the rest was packed."""
    with pytest.raises(EncodeError, match=problem):
        codec.encode(value)


def test_threads_share_one_codec_and_one_view(codec: RkyvCodec) -> None:
    """Eight threads write, read and look, and see what they would see alone."""
    value = {"orders": [{"id": n, "tags": ("a", n)} for n in range(300)]}
    view = codec.view(payload(codec, value), START, 0)
    wrong: list[str] = []

    def run(thread: int) -> None:
        for turn in range(60):
            place = (turn * 7 + thread) % 300
            if view["orders"][place]["tags"][1] != place:
                wrong.append(f"view of {place}")
            if codec.decode(payload(codec, [thread, turn]), START, 0) != [thread, turn]:
                wrong.append(f"value of {thread}, {turn}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == wrong


def _plain(view: Any) -> Any:
    if isinstance(view, memoryview):
        return bytes(view)
    return view.decode() if hasattr(view, "decode") and not isinstance(view, bytes) else view
