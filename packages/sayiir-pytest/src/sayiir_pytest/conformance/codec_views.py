"""What a look at a payload must give, by the codec's own views or by those made for it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.strategies.values import exact, samples
from sayiir_runtime.codec import PayloadCodec

_PLACE = Place(InstanceId("order-1"), RunId("run-1"), StepRef(3, (1,)))

ORDERS: dict[str, Any] = {
    "orders": [{"id": number, "tags": ["a", "b"], "to": {"city": "Ulm"}} for number in range(40)],
    "total": 1.5,
    "note": None,
}


class CodecViews:
    """Test views; a part of ``CodecConformance``."""

    rich: bool

    def view(self, payloads: PayloadCodec, value: Any) -> Any:
        """Return the view of a value that was stored."""
        return payloads.open(payloads.encode(value, _PLACE), _PLACE).root()

    def test_a_view_gives_each_part(self, payloads: PayloadCodec) -> None:
        """Give scalars as themselves and everything else as views, from both ends."""
        view = self.view(payloads, ORDERS)

        assert issubclass(type(view), Mapping)
        assert issubclass(type(view["orders"]), Sequence)
        assert (39, "Ulm", 1.5, None) == (
            view["orders"][-1]["id"],
            view["orders"][3]["to"]["city"],
            view["total"],
            view["note"],
        )
        assert list(ORDERS) == list(view)
        assert (3, 40, True, False) == (
            len(view),
            len(view["orders"]),
            "total" in view,
            "x" in view,
        )
        assert "fallback" == view.get("x", "fallback")

    def test_a_missing_part_is_an_ordinary_error(self, payloads: PayloadCodec) -> None:
        """Raise what dicts and lists raise."""
        view = self.view(payloads, ORDERS)

        with pytest.raises(KeyError):
            view["x"]
        with pytest.raises(IndexError):
            view["orders"][40]

    def test_a_view_equals_what_it_shows(self, payloads: PayloadCodec) -> None:
        """Compare with plain values, whole and in part."""
        view = self.view(payloads, ORDERS)

        assert view == ORDERS
        assert view["orders"][0] == ORDERS["orders"][0]
        assert view["orders"] != ORDERS["orders"][:-1]

    def test_a_view_cannot_be_changed(self, payloads: PayloadCodec) -> None:
        """Offer nothing by which one branch could change what another one sees."""
        view = self.view(payloads, ORDERS)

        for part, key in ((view, "total"), (view["orders"], 0), (view["orders"][0]["tags"], 0)):
            with pytest.raises(TypeError):
                part[key] = 1
            assert not hasattr(part, "append")
            assert not hasattr(part, "update")

    def test_a_view_decodes_to_data_of_its_own(self, payloads: PayloadCodec) -> None:
        """Give new plain data with every call, and leave the view as it is."""
        view = self.view(payloads, ORDERS)

        taken = view.decode()
        taken["orders"][0]["tags"].append("c")

        assert exact(ORDERS) == exact(view.decode())
        assert {"city": "Ulm"} == view["orders"][1]["to"].decode()

    def test_a_sequence_is_plucked(self, payloads: PayloadCodec) -> None:
        """Give one field of every item."""
        view = self.view(payloads, ORDERS)

        assert list(range(40)) == view["orders"].pluck("id")

    def test_a_view_is_pickled_as_what_it_shows(self, payloads: PayloadCodec) -> None:
        """Leave the process as plain data."""
        view = self.view(payloads, ORDERS)

        assert exact(ORDERS) == exact(pickle.loads(pickle.dumps(view)))  # noqa: S301 - just dumped

    def test_every_kind_of_value_can_be_looked_at(self, payloads: PayloadCodec) -> None:
        """Show the same as decoding gives, for one value of each kind."""
        for value in samples(rich=self.rich):
            payload = payloads.encode(value, _PLACE)
            view = payloads.open(payload, _PLACE).root()
            decoded = payloads.decode(payload, _PLACE)
            shown = view.decode() if isinstance(value, dict | list | tuple) else view
            if not isinstance(value, set):
                assert exact(decoded) == exact(shown)
            else:
                assert decoded == shown
