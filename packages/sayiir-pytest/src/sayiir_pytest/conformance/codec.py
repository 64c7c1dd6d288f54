"""What a codec must do, as a pytest base class.

To test a codec, subclass ``CodecConformance`` and say how it is made::

    from sayiir_pytest.conformance.codec import CodecConformance

    class TestMine(CodecConformance):
        rich = True

        def make_codec(self):
            return MyCodec()

A wrapper is tested by the payloads that it stands around: override ``make_payloads`` instead.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sayiir_core.errors import DeserializationError, EncodeError, PayloadError
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Codec, Place
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.conformance.codec_damage import CodecDamage
from sayiir_pytest.conformance.codec_types import CodecTypes
from sayiir_pytest.conformance.codec_views import CodecViews
from sayiir_pytest.strategies.values import PLAIN, RICH, exact, samples
from sayiir_runtime.codec import PayloadCodec, model
from sayiir_runtime.codec.rich_value import rich_model

PLACE = Place(InstanceId("order-1"), RunId("run-1"), StepRef(3, (1,)))
"""Where all payloads of these tests belong."""


class Unknown:
    """An object that no model covers."""


class Text(str):
    """A text that is none exactly."""

    __slots__ = ()


class CodecConformance(CodecTypes, CodecViews, CodecDamage):
    """Test a codec through the payloads that it writes.

    ``rich``: its values are rich data, see ``ValueForm``. ``repeatable``: equal values give equal
    bytes. The attributes of ``CodecDamage`` tune the tests of damaged bytes.
    """

    rich: bool = False
    repeatable: bool = True

    def make_codec(self) -> Codec:
        """Return the codec under test."""
        raise NotImplementedError(f"{type(self).__name__} must define make_codec(self)")

    def make_payloads(self) -> PayloadCodec:
        """Return the payloads that are tested: by default, of the codec alone."""
        return PayloadCodec([self.make_codec()])

    @pytest.fixture
    def payloads(self) -> PayloadCodec:
        """Return the payloads under test."""
        return self.make_payloads()

    def round_trip(self, payloads: PayloadCodec, value: Any) -> Any:
        """Return what comes back of a value."""
        return payloads.decode(payloads.encode(value, PLACE), PLACE)

    def expected(self, value: Any) -> Any:
        """Return what must come back; raises ``EncodeError`` for a value outside the model."""
        return rich_model(value) if self.rich else model(value)

    def test_any_value_comes_back_as_the_model_says(self, payloads: PayloadCodec) -> None:
        """Keep every type that the model keeps, and refuse what the model refuses."""

        @given(RICH if self.rich else PLAIN)
        @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
        def come_back(value: Any) -> None:
            try:
                expected = self.expected(value)
            except EncodeError:
                with pytest.raises(EncodeError):
                    payloads.encode(value, PLACE)
            else:
                assert exact(expected) == exact(self.round_trip(payloads, value))

        come_back()

    def test_each_kind_of_value_comes_back(self, payloads: PayloadCodec) -> None:
        """Keep one value of each kind, whatever chance may have left out."""
        kept = [
            value
            for value in samples(rich=self.rich)
            if exact(self.expected(value)) == exact(self.round_trip(payloads, value))
        ]

        assert exact(samples(rich=self.rich)) == exact(kept)

    def test_equal_values_have_equal_bytes(self, payloads: PayloadCodec) -> None:
        """Write the same twice, so that payloads can be compared without being read."""
        if not self.repeatable:
            pytest.skip("this codec draws random bytes for every payload")
        values = samples(rich=self.rich)
        again = samples(rich=self.rich)

        first = [payloads.encode(value, PLACE) for value in values]
        second = [self.make_payloads().encode(value, PLACE) for value in again]

        assert first == second

    @pytest.mark.parametrize(
        "value",
        [Unknown(), Text("x"), len, iter([1]), NotImplemented, Unknown],
        ids=["object", "subclass", "function", "iterator", "constant", "class"],
    )
    def test_a_value_outside_the_model_is_refused(self, payloads: PayloadCodec, value: Any) -> None:
        """Refuse it at the top and inside, and go on working."""
        for guest in (value, [1, value], {"a": {"b": value}}):
            with pytest.raises(EncodeError):
                payloads.encode(guest, PLACE)

        assert [1] == self.round_trip(payloads, [1])

    def test_a_refusal_names_the_place(self, payloads: PayloadCodec) -> None:
        """Say where in the value the trouble is, and what it is."""
        with pytest.raises(EncodeError, match=r"\$\.orders\[1\]\.line.*Unknown"):
            payloads.encode({"orders": [1, {"line": Unknown()}]}, PLACE)

    @pytest.mark.parametrize("kind", ["lists", "dicts", "a list in itself"])
    def test_what_is_nested_without_end_is_refused(self, payloads: PayloadCodec, kind: str) -> None:
        """Refuse depth and cycles with an error instead of recursing."""
        value: Any = []
        for _ in range(100_000):
            value = {"a": value} if kind == "dicts" else [value]
        if kind == "a list in itself":
            value = []
            value.append(value)

        with no_recursion_error(), pytest.raises(EncodeError):
            payloads.encode(value, PLACE)

    def test_a_payload_is_of_the_codec_that_wrote_it(self, payloads: PayloadCodec) -> None:
        """Stand beside payloads of other codecs, each read by the one that it names."""
        assert payloads.encode([1], PLACE).startswith(b"\xf5S\x01")

    def test_what_is_decoded_belongs_to_the_reader(self, payloads: PayloadCodec) -> None:
        """Give a new value to each reader."""
        payload = payloads.encode({"a": [1]}, PLACE)

        first = payloads.decode(payload, PLACE)
        first["a"].append(2)

        assert {"a": [1]} == payloads.decode(payload, PLACE)

    def test_threads_do_not_disturb_each_other(self, payloads: PayloadCodec) -> None:
        """Encode and decode on eight threads at once."""
        from concurrent.futures import ThreadPoolExecutor

        values = samples(rich=self.rich)

        def work(number: int) -> bool:
            mine = [[number, value] for value in values]
            back = [self.round_trip(payloads, value) for value in mine]
            return bool(exact([self.expected(value) for value in mine]) == exact(back))

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(64)))

        assert [True] * 64 == results

    def read(self, payloads: PayloadCodec, payload: bytes) -> Any:
        """Read bytes plainly and typed; any error but the named ones escapes."""
        value: Any = None
        with suppress(PayloadError):
            value = payloads.decode(payload, PLACE)
        with suppress(DeserializationError):
            payloads.decode_as(payload, dict[str, int] | set[int], PLACE)
        return value


@contextmanager
def no_recursion_error() -> Generator[None]:
    """Say so if a recursion ended for lack of stack instead of by design."""
    try:
        yield
    except RecursionError as error:
        raise AssertionError("the depth of a value was not bounded") from error
