"""What codecs and wrappers cost: encoding and decoding of orders, interleaved, the best of many rounds.

Run it by hand: ``python benchmarks/codecs.py``. The libraries that are not dependencies (``msgpack``,
``msgspec``) are left out where they are not installed.
"""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import Any

import orjson
import ormsgpack

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import StepRef
from sayiir_runtime.codec import JsonCodec, KeyRing, PayloadCodec
from sayiir_runtime.codec.aes_gcm import AesGcm
from sayiir_runtime.codec.msgpack_codec import MsgpackCodec
from sayiir_runtime.codec.zstd_wrapper import Zstd

ROUNDS = 25
PLACE = Place(InstanceId("order-1"), RunId("0b4e6a10-run"), StepRef(3))
Pair = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]


def orders(count: int) -> dict[str, Any]:
    """Return orders of about 220 bytes of JSON each."""
    address = {"street": "Main 1", "zip": "12345", "city": "Ulm", "lat": 48.4, "lon": 9.98}
    lines = [
        {
            "id": f"ord-{number:08d}",
            "sku": f"SKU{number % 97}",
            "qty": number % 7 + 1,
            "price": 19.99 + number,
            "paid": number % 2 == 0,
            "note": None,
            "tags": ["a", "bb", "ccc"],
            "address": dict(address),
        }
        for number in range(count)
    ]
    return {"orders": lines, "customer": "c-1", "total": 1.5}


def pairs() -> dict[str, Pair]:
    """Return what is compared: a name, how it encodes, how it decodes."""
    found: dict[str, Pair] = {
        "orjson": (orjson.dumps, orjson.loads),
        "ormsgpack": (ormsgpack.packb, ormsgpack.unpackb),
    }
    if importlib.util.find_spec("msgpack"):
        msgpack: Any = importlib.import_module("msgpack")
        found["msgpack"] = (msgpack.Packer(strict_types=True).pack, msgpack.unpackb)
    if importlib.util.find_spec("msgspec"):
        msgspec: Any = importlib.import_module("msgspec.msgpack")
        found["msgspec"] = (msgspec.Encoder().encode, msgspec.Decoder().decode)
    plain = PayloadCodec([JsonCodec(), MsgpackCodec(), Zstd()])
    sealed = PayloadCodec([JsonCodec()], around=[AesGcm(KeyRing({"k": bytes(32)}))])
    for name in ("json", "msgpack", "zstd+json", "zstd+msgpack"):
        codec = plain.choosing(name)
        found[f"codec {name}"] = (codec.encode, codec.decode)
    found["codec aes-gcm+json"] = (
        lambda value: sealed.encode(value, PLACE),
        lambda payload: sealed.decode(payload, PLACE),
    )
    return found


def spent(call: Callable[[Any], Any], value: Any, times: int) -> float:
    """Return the microseconds of one call."""
    began = perf_counter_ns()
    for _ in range(times):
        call(value)
    return (perf_counter_ns() - began) / times / 1000


def main() -> None:
    """Print a table."""
    compared = pairs()
    print("| value | by | bytes | encode µs | decode µs | median encode | median decode |")
    print("|---|---|---|---|---|---|---|")
    gc.disable()
    for label, count in (("1 KB", 4), ("20 KB", 90), ("1 MB", 4_700)):
        value = orders(count)
        bodies = {name: encode(value) for name, (encode, _) in compared.items()}
        times = max(2, 4_000 // count // 4)
        took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in compared}
        for _ in range(ROUNDS):
            for name, (encode, decode) in compared.items():
                took[name][0].append(spent(encode, value, times))
                took[name][1].append(spent(decode, bodies[name], times))
        for name, (encoded, decoded) in took.items():
            print(
                f"| {label} | {name} | {len(bodies[name])} | {min(encoded):.2f} | "
                f"{min(decoded):.2f} | {median(encoded):.2f} | {median(decoded):.2f} |"
            )


if __name__ == "__main__":
    main()
