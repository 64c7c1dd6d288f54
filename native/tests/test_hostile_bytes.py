"""Hostile payloads: a named error or an equal value by both readers, in a process that survives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from native.tests.values import HEADER, same
from sayiir_core.errors import (
    PayloadError,
    TruncatedPayloadError,
)
from sayiir_runtime.codec.rkyv import RkyvReader

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

ROOT = Path(__file__).resolve().parents[2]
START = len(HEADER)
READER = RkyvReader()
ATTACKS = int(os.environ.get("SAYIIR_ATTACKS", "200000"))
VALUES: list[Any] = [
    None,
    "text",
    [1, -1, 2**64, 1.5, True, None],
    {"id": 7, "orders": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 2}]},
    {1: (2, {3}), "k": b"bytes", (4,): frozenset({"x"})},
    {f"key {n}": n for n in range(40)},
]


def sealed(archive: bytes) -> bytes:
    """Return the payload of an archive, with the right length and checksum."""
    size, checksum = len(archive), zlib.crc32(archive)
    return HEADER + size.to_bytes(4, "little") + checksum.to_bytes(4, "little") + archive


def read_by_all(codec: RkyvCodec, payload: bytes) -> list[Any]:
    """Return what each reader makes of it, the class of a named error in the place of a value."""
    outcomes: list[Any] = []
    for read in (codec.decode, READER.decode, codec.view):
        try:
            value = read(payload, START, 0)
            outcomes.append(value.decode() if hasattr(value, "path") else value)
        except PayloadError:
            outcomes.append(PayloadError)
    return outcomes


def test_a_process_survives_hundreds_of_thousands_of_mutated_payloads(codec: RkyvCodec) -> None:
    """It ends by itself, within its memory, and both readers agreed each time.

    ``SAYIIR_ATTACKS`` sets how many; ``python -m native.tests.attack COUNT SEED`` repeats one.
    """
    command = [sys.executable, "-m", "native.tests.attack", str(ATTACKS), "20261201"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr[-2000:]
    counts = json.loads(done.stdout)
    assert ATTACKS == sum(counts.values())
    assert {"value", "CorruptPayloadError", "TruncatedPayloadError"} <= set(counts)
    assert counts["value"] > ATTACKS // 20


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:20])
def test_a_payload_cut_anywhere_is_truncated(codec: RkyvCodec, value: Any) -> None:
    """At every length, by every reader."""
    payload = HEADER + codec.encode(value)[1]

    for size in range(START, len(payload)):
        for read in (codec.decode, READER.decode, codec.view):
            with pytest.raises(TruncatedPayloadError):
                read(payload[:size], START, 0)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:20])
def test_an_archive_cut_anywhere_and_sealed_again_is_read_alike(
    codec: RkyvCodec, value: Any
) -> None:
    """From both ends, so that the checksum hides nothing."""
    archive = codec.encode(value)[1][8:]

    for size in range(len(archive)):
        for part in (archive[:size], archive[size:]):
            native, pure, shown = read_by_all(codec, sealed(part))
            assert same(native, pure)
            assert same(native, shown)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:20])
def test_every_flipped_bit_is_read_alike(codec: RkyvCodec, value: Any) -> None:
    """With the checksum repaired, and refused without."""
    payload = HEADER + codec.encode(value)[1]

    for bit in range(8 * 16, 8 * len(payload)):
        data = bytearray(payload)
        data[bit // 8] ^= 1 << bit % 8
        assert [PayloadError] * 3 == read_by_all(codec, bytes(data))
        native, pure, shown = read_by_all(codec, sealed(bytes(data[16:])))
        assert same(native, pure)
        assert same(native, shown)


def nested(depth: int, tag: int) -> bytes:
    """Return an archive of containers inside each other, each of one member."""
    slot = bytes((tag,)) + (-10).to_bytes(4, "little", signed=True) + (1).to_bytes(4, "little")
    before = bytes(9) + slot * (depth - 1)
    shapes = (-len(before)).to_bytes(4, "little", signed=True) + bytes(4)
    root = bytes((tag,)) + (-18).to_bytes(4, "little", signed=True) + (1).to_bytes(4, "little")
    return before + shapes + root


@pytest.mark.parametrize("tag", [7, 10, 12], ids=["list", "tuple", "frozenset"])
def test_two_hundred_thousand_levels_are_refused_and_254_are_read(
    codec: RkyvCodec, tag: int
) -> None:
    """Bytecheck without a limit would end the process here."""
    assert [PayloadError] * 3 == read_by_all(codec, sealed(nested(200_000, tag)))
    assert [PayloadError] * 3 == read_by_all(codec, sealed(nested(255, tag)))

    native, pure, shown = read_by_all(codec, sealed(nested(254, tag)))

    assert native is not PayloadError
    assert native == pure == shown


@pytest.mark.parametrize("length", [2**31 - 1, 2**31, 2**32 - 1, 2**32 // 9])
@pytest.mark.parametrize("tag", [5, 6, 7, 10, 11, 13, 14])
def test_a_forged_length_allocates_nothing(codec: RkyvCodec, tag: int, length: int) -> None:
    """Texts, bytes, containers and integers that claim gigabytes."""
    root = bytes((tag,)) + (-9).to_bytes(4, "little", signed=True) + length.to_bytes(4, "little")
    payload = sealed(bytes(8) + root)
    tracemalloc.start()

    outcomes = read_by_all(codec, payload)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [PayloadError] * 3 == outcomes
    assert peak < 1_000_000


def test_many_pointers_to_one_part_are_refused(codec: RkyvCodec) -> None:
    """Each level would double what the level below costs: a bomb of a kilobyte."""
    archive = bytearray(codec.encode([["x"], ["y"]])[1][8:])
    first, second = (bytes(archive).index(bytes((5,))), bytes(archive).rindex(bytes((5,))))
    assert first < second
    both = bytes(archive).index(b"\x07")
    pointer = int.from_bytes(archive[both + 1 : both + 5], "little", signed=True)
    archive[both + 10 : both + 14] = (pointer - 9).to_bytes(4, "little", signed=True)

    outcomes = read_by_all(codec, sealed(bytes(archive)))

    assert [PayloadError] * 3 == outcomes


def test_keys_that_are_repeated_often_are_short(codec: RkyvCodec) -> None:
    """A long key is stored with each dict, so that sharing it cannot blow a payload up."""
    long, short = (
        [{"k" * size: n} for n in range(100) for size in (129,)],
        [{"k" * size: n} for n in range(100) for size in (128,)],
    )

    sizes = [len(codec.encode(value)[1]) for value in (short, long)]

    assert sizes[0] < 100 * 40 < 100 * 129 < sizes[1]
