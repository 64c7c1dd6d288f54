"""Attack both readers with mutated payloads, in a process whose end tells how they bore it.

``python -m native.tests.attack COUNT [SEED]``. Each payload has its length and checksum repaired
most of the time, so that what lies behind them is reached. Both readers must give equal values, or
each one of the named errors. Prints what happened as JSON; before each thousand it writes how far
it is, so that a crash can be repeated.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from native.tests.values import HEADER, same
from sayiir_core.errors import (
    CorruptPayloadError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_rkyv import MapView, RkyvCodec, SequenceView
from sayiir_runtime.codec.rkyv import RkyvReader

NAMED = (CorruptPayloadError, TruncatedPayloadError, UnsupportedVersionError)
START = len(HEADER)
MEMORY = 256 * 1024 * 1024
"""What may be allocated beyond what the process has when the attack begins."""

WORDS = [0, 1, 2, 9, 255, 2**31 - 1, 2**31, 2**32 - 10, 2**32 - 9, 2**32 - 1]


def samples() -> list[bytes]:
    """Return the archives of the golden vectors, and of larger documents."""
    lines = (Path(__file__).parent / "vectors.tsv").read_text().splitlines()
    archives = [bytes.fromhex(line.split("\t")[2])[16:] for line in lines]
    larger: list[Any] = [
        {"orders": [{"id": n, "lines": [{"sku": "a", "qty": n}], "t": (n,)} for n in range(6)]},
        [[[[[[{"a": [(), {}, [None]]}]]]]]],
    ]
    codec = RkyvCodec()
    return archives + [codec.encode(value)[1][8:] for value in larger]


def sealed(archive: bytes) -> bytes:
    """Return the payload of an archive, with the right length and checksum."""
    size, checksum = len(archive), zlib.crc32(archive)
    return HEADER + size.to_bytes(4, "little") + checksum.to_bytes(4, "little") + archive


def mutated(chance: random.Random, archives: list[bytes]) -> bytes:
    """Return a payload of which some bytes are not what was written."""
    data = bytearray(chance.choice(archives))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place = chance.randrange(len(data))
        match chance.randrange(6):
            case 0 | 1:
                data[place] ^= 1 << chance.randrange(8)
            case 2:
                data[place] = chance.randrange(16)
            case 3:
                data[place : place + 4] = chance.choice(WORDS).to_bytes(4, "little")
            case 4:
                offset = int.from_bytes(data[place : place + 4], "little") + chance.randint(-9, 9)
                data[place : place + 4] = (offset % 2**32).to_bytes(4, "little")
            case _:
                source = chance.choice(archives)
                data[place : place + 9] = source[-9:]
    payload = sealed(bytes(data))
    if chance.randrange(20) == 0:
        payload = payload[: chance.randrange(START, len(payload))]
    return payload


def outcome(read: Any, payload: bytes) -> tuple[str, Any]:
    """Return the named error, or the value; any other error ends the process."""
    try:
        return "value", read(payload, START, 0)
    except NAMED as error:
        return type(error).__name__, None


def seen(codec: RkyvCodec, payload: bytes) -> Any:
    """Return the value as views show it, walked by keys and places."""
    return _seen(codec.view(payload, START, 0))


def _seen(part: Any) -> Any:
    if isinstance(part, MapView):
        return {key: _seen(part[key]) for key in part}
    if isinstance(part, SequenceView):
        items = [_seen(item) for item in part]
        return tuple(items) if part[:0] == () else items
    return bytes(part) if isinstance(part, memoryview) else part


def attack(count: int, seed: int) -> Counter[str]:
    """Read mutated payloads by every way, and compare."""
    chance, archives = random.Random(seed), samples()
    codec, reader = RkyvCodec(), RkyvReader()
    counts: Counter[str] = Counter()
    for turn in range(count):
        if turn % 1000 == 0:
            sys.stderr.write(f"\r{turn} of seed {seed}")
        payload = mutated(chance, archives)
        native, value = outcome(codec.decode, payload)
        pure, other = outcome(reader.decode, payload)
        counts[native] += 1
        # A value that is damaged in two ways may be told by either.
        if (native == "value") != (pure == "value") or not same(value, other):
            raise AssertionError(f"{native} {value!r}, but {pure} {other!r}: {payload.hex()}")
        if native == "value" and not same(value, seen(codec, payload)):
            raise AssertionError(f"views show something else than {value!r}: {payload.hex()}")
    return counts


def limit_memory() -> None:
    """Let the process have little more memory than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(words: list[str]) -> None:
    """Attack as often as the first word says, from the seed in the second."""
    count, seed = (*map(int, words), 1)[:2]
    limit_memory()
    counts = attack(count, seed)
    sys.stderr.write("\n")
    print(json.dumps(counts))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
