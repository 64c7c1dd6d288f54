"""Compression and encryption, apart from any store."""

from __future__ import annotations

import base64
import importlib
import pickle
import sys
from typing import Any

import pytest

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    MisplacedPayloadError,
    PayloadError,
    PluginError,
    TamperedPayloadError,
    TruncatedPayloadError,
)
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import INPUT, Leaf, SignalRef, StepRef
from sayiir_runtime.codec import JsonCodec, KeyRing, PayloadCodec
from sayiir_runtime.codec.aes_gcm import AesGcm
from sayiir_runtime.codec.envelope import header_bytes, parse_header
from sayiir_runtime.codec.zstd_wrapper import Zstd

ZSTD: Any = importlib.import_module(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)
RING = KeyRing({"2026": bytes(range(32))})
COMPRESSED = PayloadCodec([JsonCodec(), Zstd()], default="zstd+json")
ENCRYPTED = PayloadCodec([JsonCodec(), Zstd()], around=[AesGcm(RING)])


def place(leaf: Leaf | None, instance_id: str = "order-1", run_id: str | None = "run-1") -> Place:
    """Return a place in a run."""
    run = None if run_id is None else RunId(run_id)
    return Place(InstanceId(instance_id), run, leaf)


HERE = place(StepRef(3, (1,)))


def test_what_does_not_get_smaller_is_left_alone() -> None:
    """Small payloads, and those that are compressed already, stay readable for everybody."""
    noise = base64.b85encode(ZSTD.compress(bytes(range(256)) * 2)).decode()

    names = [
        parse_header(COMPRESSED.encode(value)).codec for value in ("x" * 100, "x" * 1000, noise)
    ]

    assert ["json", "zstd", "json"] == names


def test_a_bomb_is_not_unpacked() -> None:
    """A few kilobytes that would fill the memory are refused with the way to allow them."""
    bomb = header_bytes("zstd", 0) + ZSTD.compress(bytes(100 * 1024 * 1024))

    assert len(bomb) < 10_000
    with pytest.raises(CorruptPayloadError, match=r"more than 67,108,864 bytes.*Zstd\(max_bytes="):
        COMPRESSED.decode(bomb)


def test_what_could_not_be_read_again_is_not_compressed() -> None:
    """The limit holds for both directions."""
    codec = PayloadCodec([JsonCodec(), Zstd(max_bytes=1000)], default="zstd+json")

    payload = codec.encode("x" * 2000)

    assert "json" == parse_header(payload).codec
    assert "x" * 2000 == codec.decode(payload)


def test_wrappers_inside_each_other_are_bounded() -> None:
    """Each costs memory for its own."""
    payload = header_bytes("json", 0) + JsonCodec().encode(1)[1]
    for _ in range(8):
        payload = header_bytes("zstd", 0) + ZSTD.compress(payload)

    assert 1 == COMPRESSED.decode(payload)
    with pytest.raises(CorruptPayloadError, match="more than 8 wrappers"):
        COMPRESSED.decode(header_bytes("zstd", 0) + ZSTD.compress(payload))


def test_bytes_behind_the_end_and_bytes_that_are_missing_are_told_apart() -> None:
    """Compressed data know where they end."""
    payload = COMPRESSED.encode("x" * 1000)

    with pytest.raises(CorruptPayloadError, match="bytes follow its end"):
        COMPRESSED.decode(payload + b"\0")
    with pytest.raises(TruncatedPayloadError):
        COMPRESSED.decode(payload[:-1])


@pytest.mark.parametrize("level", [0, 23, -1])
def test_a_level_that_zstandard_lacks_is_refused(level: int) -> None:
    """At the gate."""
    with pytest.raises(ValueError, match="level must be 1 to 22"):
        Zstd(level=level)


@pytest.mark.parametrize(
    "other",
    [
        place(StepRef(3, (2,))),
        place(StepRef(4, (1,))),
        place(StepRef(3)),
        place(INPUT),
        place(SignalRef(3)),
        place(StepRef(3, (1,)), run_id="run-2"),
        None,
    ],
)
def test_a_payload_is_bound_to_its_run_and_step(other: Place | None) -> None:
    """Read from any other place it is not taken, and the error says that it was moved."""
    payload = ENCRYPTED.encode([1], HERE)

    assert [1] == ENCRYPTED.decode(payload, HERE)
    with pytest.raises(MisplacedPayloadError, match="for another place"):
        ENCRYPTED.decode(payload, other)


def test_a_signal_is_bound_to_its_instance() -> None:
    """The sender knows neither run nor number; another instance's reader does not take it."""
    sent = ENCRYPTED.encode("go", place(None, run_id=None))

    assert "go" == ENCRYPTED.decode(sent, place(SignalRef(7), run_id="run-9"))
    with pytest.raises(MisplacedPayloadError):
        ENCRYPTED.decode(sent, place(SignalRef(7), instance_id="order-2"))


def test_a_payload_is_moved_on_purpose() -> None:
    """Whoever copies a step to another run can; what is not bound is left as it is."""
    there = place(StepRef(0), run_id="run-2")
    payload = ENCRYPTED.encode({"a": 1}, HERE)
    plain = COMPRESSED.encode({"a": 1})

    moved = ENCRYPTED.moved(payload, HERE, there)

    assert {"a": 1} == ENCRYPTED.decode(moved, there)
    assert plain is COMPRESSED.moved(plain, HERE, there)
    with pytest.raises(MisplacedPayloadError):
        ENCRYPTED.moved(payload, there, HERE)


def test_nothing_is_encrypted_without_a_place() -> None:
    """Forgetting it is an error at once, not a payload that can be moved."""
    with pytest.raises(EncodeError, match="must be told the place"):
        ENCRYPTED.encode([1])


def test_equal_values_give_different_bytes() -> None:
    """Nobody sees that two payloads are equal."""
    payloads = {ENCRYPTED.encode([1], HERE) for _ in range(100)}

    assert 100 == len(payloads)
    assert 1 == len({len(payload) for payload in payloads})


def test_every_byte_is_authenticated() -> None:
    """Changed anywhere behind the header's name, no byte goes unnoticed."""
    payload = ENCRYPTED.encode([1], HERE)
    errors: set[str] = set()

    for position in range(len(payload)):
        for change in (1, 0x80):
            damaged = bytearray(payload)
            damaged[position] ^= change
            with pytest.raises(PayloadError) as caught:
                ENCRYPTED.decode(bytes(damaged), HERE)
            errors.add(type(caught.value).__name__)

    assert TamperedPayloadError.__name__ in errors
    assert MisplacedPayloadError.__name__ not in errors


def test_a_wrapper_that_binds_must_stand_outermost() -> None:
    """Nothing can be done for what is encrypted, and the place would not be found."""
    with pytest.raises(PluginError, match=r"must stand outermost.*'aes-gcm\+zstd"):
        PayloadCodec([JsonCodec(), Zstd(), AesGcm(RING)], default="zstd+aes-gcm+json")


def test_keys_have_an_order_and_an_id() -> None:
    """The first writes unless another one is named; all of them read."""
    ring = KeyRing({"b": bytes(32), "a": bytes(range(32))}, writes="a")

    assert ("a", ["b", "a"]) == (ring.writes, ring.ids)
    assert "<KeyRing b, a; a writes>" == repr(ring)
    assert "b" == KeyRing({"b": bytes(32), "a": bytes(32)}).writes


def test_keys_are_read_from_text() -> None:
    """As an environment variable holds them."""
    encoded = base64.b64encode(bytes(range(32))).decode()

    ring = KeyRing.from_text(f"2027:{encoded}, 2026:{encoded}")

    assert ("2027", bytes(range(32))) == (ring.writes, ring.key("2026"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "needs a key"),
        ({"a": b"short"}, "key number 1 must have 32 bytes.* not be 5 bytes"),
        ({"a": "text"}, "not be a str"),
        ({"": bytes(32)}, "must have 1 to 32 characters"),
        ({"a b": bytes(32)}, "must have 1 to 32 characters"),
        ({"x" * 33: bytes(32)}, "must have 1 to 32 characters"),
    ],
)
def test_a_bad_ring_is_refused(keys: Any, problem: str) -> None:
    """With what is wrong, and without what was given."""
    with pytest.raises(ValueError, match=problem):
        KeyRing(keys)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "needs a key"),
        ("x", "number 1 has no colon"),
        ("a:!", "number 1 is no base64"),
        (f"a:{base64.b64encode(bytes(32)).decode()},a:x", "id of key number 2 is there twice"),
    ],
)
def test_a_bad_text_of_keys_is_refused(text: str, problem: str) -> None:
    """Each part is told by its number."""
    with pytest.raises(ValueError, match=problem):
        KeyRing.from_text(text)


def test_keys_do_not_leave_the_process_by_accident() -> None:
    """A ring is not pickled."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(RING)
