"""The reader in plain Python: everything that was ever stored, and no native code."""

from __future__ import annotations

import datetime as dt
import math
import random
import struct
import sys
import uuid
import zlib
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    PayloadError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_runtime.codec.rkyv import RkyvReader

READER = RkyvReader()
START = 8
NAMES: dict[str, Any] = {
    "dt": dt,
    "Decimal": Decimal,
    "UUID": uuid.UUID,
    "ZoneInfo": ZoneInfo,
    "inf": math.inf,
    "nan": math.nan,
    "other_nan": struct.unpack("<d", bytes.fromhex("010000000000f4ff"))[0],
}


def golden() -> list[tuple[str, bytes]]:
    """Return the expression and the payload of each golden vector."""
    lines = (Path(__file__).parents[5] / "native" / "tests" / "vectors.tsv").read_text()
    columns = [line.split("\t") for line in lines.splitlines()]
    return [(expression, bytes.fromhex(payload)) for expression, _, payload in columns]


GOLDEN = golden()


def sealed(archive: bytes) -> bytes:
    """Return the payload of an archive, with the right length and checksum."""
    return b"".join(
        [
            b"\xf5S\x01\x40rkyv",
            len(archive).to_bytes(4, "little"),
            zlib.crc32(archive).to_bytes(4, "little"),
            archive,
        ]
    )


def alike(value: Any) -> Any:
    """Return what is equal for values of equal content and types, order of sets aside."""
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(repr(alike(each)) for each in value)
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, (list, tuple)):
        return type(value), [alike(each) for each in value]
    if isinstance(value, dict):
        return [(alike(key), alike(item)) for key, item in value.items()]
    return type(value), repr(value)


@pytest.mark.parametrize(("expression", "payload"), GOLDEN, ids=[line[0][:40] for line in GOLDEN])
def test_the_golden_payload_is_read(expression: str, payload: bytes) -> None:
    """Whatever becomes of the native codec, these bytes mean these values."""
    expected = eval(expression, NAMES.copy())  # noqa: S307 - our own file

    assert alike(expected) == alike(READER.decode(payload, START, 0))


@pytest.mark.parametrize("payload", [line[1] for line in GOLDEN[-10:]])
def test_a_payload_cut_anywhere_is_truncated(payload: bytes) -> None:
    """The length in front of the archive tells."""
    for size in range(START, len(payload)):
        with pytest.raises(TruncatedPayloadError, match="restore the row from a backup"):
            READER.decode(payload[:size], START, 0)


def test_bytes_behind_the_archive_and_a_wrong_checksum_are_damage() -> None:
    """Told before the archive is looked at."""
    payload = GOLDEN[-1][1]

    with pytest.raises(CorruptPayloadError, match="1 bytes follow the archive"):
        READER.decode(payload + b"x", START, 0)
    with pytest.raises(CorruptPayloadError, match="the checksum is wrong"):
        READER.decode(payload[:-1] + b"\x01", START, 0)


def test_flags_and_extensions_of_a_later_release_are_told_from_damage() -> None:
    """Upgrading helps, a backup would not."""
    payload = next(line[1] for line in GOLDEN if line[0].startswith("UUID"))
    place = payload.index(b"\x08", 16 + 16)
    later = sealed(payload[16:place] + b"\x63" + payload[place + 1 :])

    with pytest.raises(UnsupportedVersionError, match="flags 0b0001"):
        READER.decode(payload, START, 1)
    with pytest.raises(UnsupportedVersionError, match="unknown extension type 99"):
        READER.decode(later, START, 0)


def test_writing_is_refused_with_what_to_install() -> None:
    """A machine that only reads cannot write by accident."""
    with pytest.raises(EncodeError, match=r"install sayiir\[rkyv\]"):
        READER.encode({"a": 1})


def test_reading_needs_no_frames_of_the_interpreter() -> None:
    """The deepest payload is read where little of the stack is left."""
    slots = [bytes(9)]
    slots += [b"\x07" + struct.pack("<iI", -10, 1)] * 253
    before = b"".join(slots)
    root = b"\x07" + struct.pack("<iI", -18, 1)
    payload = sealed(before + struct.pack("<iI", -len(before), 0) + root)

    def deep(left: int) -> Any:
        return deep(left - 1) if left else READER.decode(payload, START, 0)

    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    value = deep(sys.getrecursionlimit() - used - 30)

    depth = 0
    while value is not None:
        [value], depth = value, depth + 1
    assert 254 == depth
    too_deep = b"".join([bytes(9), *slots[1:], slots[1]])
    with pytest.raises(CorruptPayloadError, match="more than 254 containers"):
        READER.decode(sealed(too_deep + struct.pack("<iI", -len(too_deep), 0) + root), START, 0)


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (bytes(16), "too small"),
        (bytes(8) + b"\x0f" + bytes(8), "tag 15"),
        (bytes(8) + b"\x01\x02" + bytes(7), "a truth value of 2"),
        (bytes(8) + b"\x05" + struct.pack("<iI", -9, 1 << 31), "outside of"),
        (bytes(8) + b"\x07" + struct.pack("<iI", -9, 1 << 31), "outside of"),
        (bytes(8) + b"\x05" + struct.pack("<iI", 0, 1), "outside of"),
        (bytes(8) + b"\x05" + struct.pack("<iI", -(1 << 31), 1), "outside of"),
        (b"\xff" + struct.pack("<iI", -1, 0) + b"\x05" + struct.pack("<iI", -10, 1), "not UTF-8"),
        (bytes(8) + b"\x0e" + struct.pack("<iI", -9, 0), "no digits"),
        (bytes(8) + b"\x08" + struct.pack("<iI", -9, 0), "outside of"),
        (
            struct.pack("<IiI", 0, -4, 0)
            + struct.pack("<iI", -12, 0)
            + b"\x08"
            + struct.pack("<iI", -21, 0),
            "shape 0",
        ),
        (
            bytes(9) + struct.pack("<iI", -9, 0) + b"\x0d" + struct.pack("<iI", -18, 1),
            "a key without a value",
        ),
    ],
)
def test_forged_archives_are_refused(archive: bytes, problem: str) -> None:
    """Unknown tags, lengths and pointers that lead out, shapes that are not there."""
    if archive[:8] == bytes(8) and len(archive) == 17:
        archive = struct.pack("<iI", 0, 0) + archive[8:]

    with pytest.raises(CorruptPayloadError, match=problem):
        READER.decode(sealed(archive), START, 0)


def test_mutated_archives_give_a_value_or_a_named_error() -> None:
    """With the checksum repaired, 20,000 times; the native tests do many more, side by side."""
    chance = random.Random(2_026)
    values = 0

    for _ in range(20_000):
        archive = bytearray(chance.choice(GOLDEN)[1][16:])
        for _ in range(chance.randint(1, 3)):
            archive[chance.randrange(len(archive))] ^= 1 << chance.randrange(8)
        with suppress(PayloadError):
            READER.decode(sealed(bytes(archive)), START, 0)
            values += 1

    assert 500 < values < 19_500
