"""What a codec must do with bytes that nobody wrote."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayiir_core.errors import PayloadError, TruncatedPayloadError, UnsupportedVersionError
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.strategies.values import exact, samples
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.codec.envelope import parse_header

_PLACE = Place(InstanceId("order-1"), RunId("run-1"), StepRef(3, (1,)))
_MEMORY_BYTES = 512 * 1024 * 1024


class CodecDamage:
    """Test hostile bytes; a part of ``CodecConformance``.

    ``flags`` are those that the codec under test writes. ``detects_damage``: it finds every
    changed bit of a body. ``mutations`` is how many damaged payloads one test tries. ``bombs``
    are bodies made to cost much.
    """

    rich: bool
    flags: frozenset[int] = frozenset({0})
    detects_damage: bool = False
    mutations: int = 20_000
    bombs: tuple[bytes, ...] = ()

    read: Callable[[PayloadCodec, bytes], Any]

    def mended(self, payload: bytes) -> bytes:
        """Return a damaged payload with its checksum made right, if it has one."""
        return payload

    def test_a_payload_cut_anywhere_is_truncated(self, payloads: PayloadCodec) -> None:
        """Tell every proper prefix from a whole payload, for a typed reader too."""
        for value in samples(rich=self.rich):
            payload = payloads.encode(value, _PLACE)
            for size in range(len(payload)):
                with pytest.raises(TruncatedPayloadError):
                    payloads.decode(payload[:size], _PLACE)
                with pytest.raises(TruncatedPayloadError):
                    payloads.decode_as(payload[:size], set[int] | bytes, _PLACE)

    def test_a_flipped_bit_is_found_or_gives_a_value(self, payloads: PayloadCodec) -> None:
        """Raise a named error; where damage is always found, never give another value."""
        for value in samples(rich=self.rich):
            payload = payloads.encode(value, _PLACE)
            for place in range(len(payload) * 8):
                damaged = bytearray(payload)
                damaged[place // 8] ^= 1 << place % 8
                try:
                    read = payloads.decode(bytes(damaged), _PLACE)
                except PayloadError:
                    continue
                assert not self.detects_damage or exact(value) == exact(read)

    def test_unknown_flags_are_of_a_newer_release(self, payloads: PayloadCodec) -> None:
        """Refuse what no released writer sets."""
        payload = payloads.encode([1] * 400, _PLACE)
        header = parse_header(payload)

        for flags in set(range(16)) - self.flags:
            changed = bytearray(payload)
            changed[3] = changed[3] & 0xF0 | flags
            with pytest.raises(UnsupportedVersionError):
                payloads.decode(bytes(changed), _PLACE)
        assert header.flags in self.flags

    def test_any_body_is_a_value_or_a_named_error(self, payloads: PayloadCodec) -> None:
        """Let no other exception escape, whatever stands behind the header."""
        payload = payloads.encode([1] * 400, _PLACE)
        start = parse_header(payload).size
        cuts = st.integers(0, 8)

        @given(cuts, st.binary(max_size=200), cuts)
        @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=400)
        def any_body(head: int, body: bytes, tail: int) -> None:
            # Some keep how a body begins and ends, and so get further.
            made = payload[: start + head] + body + payload[len(payload) - tail :]
            self.read(payloads, made)
            self.read(payloads, self.mended(made))

        any_body()

    def test_damaged_payloads_do_not_end_the_process(self, payloads: PayloadCodec) -> None:
        """Survive flipped, dropped, doubled and swapped bytes, in a child with little memory."""
        originals = [payloads.encode(value, _PLACE) for value in samples(rich=self.rich)]

        def work() -> None:
            _limit_memory()
            chance = random.Random(20_260)  # noqa: S311 - repeatable, no secret
            for _ in range(self.mutations):
                damaged = _damaged(chance, chance.choice(originals))
                for payload in {damaged, self.mended(damaged)}:
                    self.read(payloads, payload)

        in_forked_child(work)

    def test_bombs_are_defused(self, payloads: PayloadCodec) -> None:
        """Bound depth, memory and time for bodies made to cost much, in a child."""
        payload = payloads.encode([1] * 400, _PLACE)
        header = payload[: parse_header(payload).size]

        def work() -> None:
            _limit_memory()
            for bomb in self.bombs:
                self.read(payloads, self.mended(header + bomb))

        in_forked_child(work)

    def test_a_length_that_lies_reserves_no_memory(self, payloads: PayloadCodec) -> None:
        """Believe no length before the bytes are there, at any place where one could stand."""
        payload = payloads.encode(["x" * 300, [1] * 300, {"k": "v"}], _PLACE)
        start = parse_header(payload).size

        def work() -> None:
            _limit_memory()
            for place in range(start, min(len(payload), start + 80)):
                for lie in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"):
                    forged = payload[:place] + lie + payload[place + 4 :]
                    self.read(payloads, self.mended(forged))

        in_forked_child(work)


def _limit_memory() -> None:
    """Give this process little more memory than it has, so that a huge allocation fails."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no other file
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY_BYTES, used + _MEMORY_BYTES))


def _damaged(chance: random.Random, payload: bytes) -> bytes:
    data = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(2, len(data))
        match chance.randrange(5):
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                del data[place]
            case 2:
                data.insert(place, chance.randrange(256))
            case 3:
                data[place] = chance.choice((0, 0x7F, 0x80, 0x91, 0xC7, 0xDD, 0xFF))
            case _:
                data[place:place] = data[: place + 1]
        if len(data) < 3:
            break
    return bytes(data)
