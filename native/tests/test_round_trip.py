"""What is stored comes back: exactly, by the native codec and by the reader in plain Python."""

from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter, namedtuple
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ormsgpack
import pytest
from hypothesis import given, settings

from native.tests.values import HEADER, rich_values, same
from sayiir_core.errors import CorruptPayloadError, EncodeError
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


CRASHES = """
from sayiir_core.errors import CorruptPayloadError, EncodeError
from sayiir_rkyv import RkyvCodec
inner = cycle = []
for _ in range(250):
    inner.append([])
    inner = inner[0]
inner.append((cycle,))
try:
    RkyvCodec().encode(cycle)
except EncodeError as error:
    assert "contains itself" in str(error), error
"""


def test_a_cycle_through_a_tuple_is_refused_before_the_stack_ends(codec: RkyvCodec) -> None:
    """Hundreds of lists between two calls of the hook take C stack that Python does not count."""
    done = subprocess.run([sys.executable, "-c", CRASHES], check=False, capture_output=True)

    assert (0, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("wrap", [lambda v: (v,), lambda v: {1: v}, lambda v: frozenset({v})])
def test_tuples_inside_each_other_do_not_copy_their_content_each(
    codec: RkyvCodec, wrap: Callable[[Any], Any]
) -> None:
    """The innermost bytes are there a few times, not once per level."""
    value: Any = bytes(1 << 20)
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    data = payload(codec, value)

    tracemalloc.start()
    try:
        read = codec.decode(data, START, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert 24 << 20 > peak
    assert data == payload(codec, read)


def test_what_is_nested_deeply_keeps_every_kind_of_container(codec: RkyvCodec) -> None:
    """It takes another way than the rest, with slots in lists, dicts, sets and keys."""
    value: Any = {"a": [1, (2,)], "when": dt.date(2026, 1, 2)}
    for _ in range(20):
        value = ({"a": [value, 1]}, {(1, frozenset({(2,)})): {"b": value if _ < 2 else ()}}, {3})

    assert same(value, codec.decode(payload(codec, value), START, 0))


def test_damage_below_many_containers_is_told_as_damage(codec: RkyvCodec) -> None:
    """Also on the way that deep values take."""
    from sayiir_rkyv.packing import pack

    value: Any = Decimal("1.5")
    for _ in range(30):
        value = (value,)
    body = codec._library.encode(pack(value).replace(b"1.5", b"1x5"))

    with pytest.raises(CorruptPayloadError, match="damaged value of extension type 7"):
        codec.decode(HEADER + body, START, 0)


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05+00:00[", "03:04:05["])
def test_a_zone_of_thousands_of_parts_is_unknown(codec: RkyvCodec, text: str) -> None:
    """Looking for it would end the interpreter's stack of calls."""
    data = text.encode() + b"a/" * 3000 + b"a]"
    packed = ormsgpack.packb(ormsgpack.Ext(5 if text[2] == ":" else 3, data))
    stored = HEADER + codec._library.encode(packed)

    for read in (codec.decode, READER.decode):
        if text[2] == ":":
            with pytest.raises(CorruptPayloadError):
                read(stored, START, 0)
        else:
            assert dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC) == read(stored, START, 0)


@pytest.mark.parametrize("micro", [1, -1, 999_999, -999_999])
def test_offsets_of_less_than_a_second_are_kept(codec: RkyvCodec, micro: int) -> None:
    """Python itself reads them as none."""
    zone = dt.timezone(dt.timedelta(microseconds=micro))
    values = [dt.datetime(2026, 1, 2, tzinfo=zone), dt.time(3, tzinfo=zone)]
    data = payload(codec, values)

    assert same(values, codec.decode(data, START, 0))
    assert same(values, READER.decode(data, START, 0))
