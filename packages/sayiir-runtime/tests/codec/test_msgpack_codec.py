"""The MessagePack codec: its bytes, and what no general suite can know of it."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
from typing import Any, NamedTuple

import ormsgpack
import pytest

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.codec.msgpack_codec import MsgpackCodec

CODEC = MsgpackCodec()


class Colour(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    A = "a"


class Pair(NamedTuple):
    left: int
    right: int


def extension(code: int, content: bytes) -> bytes:
    """Return the bytes of an extension."""
    return b"\xc9" + len(content).to_bytes(4, "big") + bytes((code,)) + content


def decode(body: bytes) -> Any:
    """Return the value of a body."""
    return CODEC.decode(b"\xf5S\x01\x70msgpack" + body, 11, 0)


def test_other_readers_of_messagepack_can_read_plain_values() -> None:
    """Nothing of ours is in the bytes of what MessagePack has types for."""
    value = {"id": 1, "lines": [{"qty": 2.5, "tags": ["a"], "blob": b"\xff"}], "none": None}

    _, body = CODEC.encode(value)

    assert value == ormsgpack.unpackb(body)


@pytest.mark.parametrize("value", [Colour.RED, Word.A, Pair(1, 2), True.__class__, (1).__add__])
def test_what_would_come_back_as_something_else_is_refused(value: Any) -> None:
    """Enum members and named tuples need an annotation, as with JSON."""
    for guest in (value, [value], {"a": (value,)}):
        with pytest.raises(EncodeError, match="is not a value that this codec stores"):
            CODEC.encode(guest)


def test_bytes_like_objects_arrive_as_bytes() -> None:
    """Nobody shares a buffer with a payload."""
    values = [bytearray(b"a"), memoryview(b"b"), b"c"]

    assert [b"a", b"b", b"c"] == decode(CODEC.encode(values)[1])


def test_containers_in_extensions_nest_as_deep_as_is_packed() -> None:
    """What is written can be read; what is too deep is refused with a remedy."""
    deep: Any = ()
    for _ in range(64):
        deep = (deep,)
    deeper = deep
    for _ in range(10):
        deeper = (deeper,)

    assert deep[0] == decode(CODEC.encode(deep[0])[1])
    with pytest.raises(EncodeError, match="use lists"):
        CODEC.encode(deeper)


def test_an_unknown_extension_is_of_a_newer_release() -> None:
    """It is no damage: who wrote it knew more."""
    with pytest.raises(UnsupportedVersionError, match="the extension 40"):
        decode(b"\x91" + extension(40, b"x"))


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\xa1\xff",
        b"\x81\x01\x02",
        extension(1, b"\x01"),
        extension(9, b"\x91\x90"),
        extension(12, b"\x91\x01"),
        extension(12, b"\x92\x90\x01"),
        extension(3, b"2026-13-01T00:00:00"),
        extension(3, b"2026-01-01T00:00:00[Nowhere/Here]"),
        extension(3, b"2026-01-01T00:00:00[fold=2]"),
        extension(3, b"2026-01-01T00:00:00+00:00[../../etc/passwd]"),
        extension(5, b"12:00:00[Nowhere/Here]"),
        extension(6, b"\x7f" * 24),
        extension(6, b"\xff"),
        extension(7, b"x"),
        extension(7, b"1_0"),
        extension(8, b"short"),
        extension(11, b"short"),
        extension(13, b"\xff"),
    ],
)
def test_a_body_that_is_whole_but_wrong_is_corrupt(body: bytes) -> None:
    """Each rule of the format is checked, whatever the caller's decimal context."""
    with decimal.localcontext() as context:
        context.traps[decimal.InvalidOperation] = False

        with pytest.raises(CorruptPayloadError, match="restore the row from a backup"):
            decode(body)


def test_a_zone_that_is_not_known_leaves_the_instant() -> None:
    """The offset is stored beside the key."""
    read = decode(extension(3, b"2026-07-01T12:00:00+02:00[Nowhere/Here]"))

    assert dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC) == read


def test_a_naive_moment_stays_naive() -> None:
    """No zone is made up."""
    moment = dt.datetime(2026, 1, 1, 12)  # noqa: DTZ001

    assert None is decode(CODEC.encode(moment)[1]).tzinfo


def test_a_zone_without_a_name_is_refused() -> None:
    """It could not be found again."""

    class Odd(dt.tzinfo):
        def utcoffset(self, _moment: dt.datetime | None, /) -> dt.timedelta:
            return dt.timedelta(0)

    with pytest.raises(EncodeError, match=r"\$\.when: a time zone of .*Odd"):
        CODEC.encode({"when": dt.datetime(2026, 1, 1, tzinfo=Odd())})


def test_a_set_is_written_in_one_order_whatever_the_hashes() -> None:
    """Sorted by the bytes of its items, so equal sets are equal payloads in every process."""
    letters = [f"key{number}" for number in range(50)]

    assert CODEC.encode(set(letters)) == CODEC.encode({*sorted(letters)})
    assert CODEC.encode({"b", "a"})[1].endswith(b"\xa1a\xa1b")


@pytest.mark.parametrize("spread", [1, 4000])
def test_many_equal_hashes_are_refused_instead_of_compared(spread: int) -> None:
    """A set of integers made to collide would take minutes, whatever stands beside them."""
    prime = 2**61 - 1
    items = [(prime * number) for number in range(4000)] + [*range(1, spread)]
    packed = b"".join(extension(2, it.to_bytes(it.bit_length() // 8 + 1, "little")) for it in items)

    with pytest.raises(CorruptPayloadError):
        decode(extension(9, b"\xdd" + len(items).to_bytes(4, "big") + packed))


def test_the_end_of_a_body_is_told_by_the_words_of_the_library() -> None:
    """Pinned, because that is how a cut body is told from a damaged one."""
    with pytest.raises(ValueError, match="end of file"):
        ormsgpack.unpackb(b"\x92\x01")
    with pytest.raises(TruncatedPayloadError):
        decode(b"\x92\x01")


def test_json_and_messagepack_stand_side_by_side() -> None:
    """Each payload is read by its own codec, whichever writes."""
    from sayiir_runtime.codec import JsonCodec

    both = PayloadCodec([JsonCodec(), CODEC])
    packed = both.choosing("msgpack").encode((1, 2))

    assert (1, 2) == both.decode(packed)
    assert [1, 2] == both.choosing("msgpack").decode(both.encode((1, 2)))


@pytest.mark.parametrize("micro", [1, -1, 999_999, -999_999])
def test_offsets_of_less_than_a_second_are_kept(micro: int) -> None:
    """Python itself reads them as none."""
    zone = dt.timezone(dt.timedelta(microseconds=micro))
    values = [dt.datetime(2026, 1, 2, tzinfo=zone), dt.time(3, tzinfo=zone)]

    read = decode(CODEC.encode(values)[1])

    assert [zone.utcoffset(None)] * 2 == [each.utcoffset() for each in read]
