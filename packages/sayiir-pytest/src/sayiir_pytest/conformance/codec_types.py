"""What a codec must do with values of annotated types."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from typing import Any, NamedTuple, TypedDict

import pytest

from sayiir_core.errors import InvalidValueError
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.strategies.values import exact
from sayiir_runtime.codec import PayloadCodec

_PLACE = Place(InstanceId("order-1"), RunId("run-1"), StepRef(3, (1,)))


class Colour(enum.Enum):
    """A closed choice whose values are no names."""

    RED = "r"
    GREEN = "g"


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


class Movie(TypedDict):
    """A dict with declared keys."""

    title: str
    day: dt.date


@dataclasses.dataclass
class Line:
    """A dataclass inside another one."""

    sku: str
    price: decimal.Decimal
    colour: Colour = Colour.RED


@dataclasses.dataclass
class Order:
    """A dataclass with what people put into them."""

    id: uuid.UUID
    placed: dt.datetime
    lines: list[Line]
    marks: set[int]
    size: tuple[int, int]
    note: str | None = None


ORDER = Order(
    id=uuid.UUID(int=7),
    placed=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    lines=[Line("a", decimal.Decimal("1.50")), Line("b", decimal.Decimal(0), Colour.GREEN)],
    marks={1, 2, 3},
    size=(3, 4),
)

TYPED: list[tuple[Any, Any]] = [
    (Order, ORDER),
    (list[Order], [ORDER, ORDER]),
    (dict[str, Order | None], {"a": ORDER, "b": None}),
    (Movie, {"title": "M", "day": dt.date(1931, 5, 11)}),
    (Point, Point(1, 2)),
    (Colour, Colour.GREEN),
    (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)),
    (dt.date, dt.date(2026, 1, 2)),
    (dt.time, dt.time(3, 4)),
    (dt.timedelta, dt.timedelta(days=1, seconds=2)),
    (decimal.Decimal, decimal.Decimal("1.50")),
    (uuid.UUID, uuid.UUID(int=7)),
    (bytes, b"\x00\xff"),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (tuple[int, str], (1, "a")),
    (dict[int, str], {1: "a"}),
    (list[tuple[bytes, Colour]], [(b"\xfe", Colour.RED)]),
]


class CodecTypes:
    """Test typed values; a part of ``CodecConformance``."""

    @pytest.mark.parametrize(
        ("annotation", "value"), TYPED, ids=[str(annotation)[:40] for annotation, _ in TYPED]
    )
    def test_a_typed_value_comes_back(
        self, payloads: PayloadCodec, annotation: Any, value: Any
    ) -> None:
        """Give the reader of the same annotation an equal value of the same type."""
        pytest.importorskip("pydantic", reason="typed values need pydantic")

        payload = payloads.encode_as(value, annotation, _PLACE)

        assert exact(value) == exact(payloads.decode_as(payload, annotation, _PLACE))

    def test_a_model_comes_back(self, payloads: PayloadCodec) -> None:
        """Keep pydantic models, strict ones too, with members of an Enum in them."""
        pydantic = pytest.importorskip("pydantic", reason="models need pydantic")
        model: Any = pydantic.create_model(
            "Strict",
            __config__=pydantic.ConfigDict(strict=True),
            colour=(Colour, ...),
            lines=(list[Line], ...),
            day=(dt.date, ...),
            marks=(frozenset[int], ...),
        )
        value = model(
            colour=Colour.GREEN, lines=ORDER.lines, day=dt.date(2026, 1, 2), marks=frozenset({1})
        )

        payload = payloads.encode_as(value, model, _PLACE)

        assert value == payloads.decode_as(payload, model, _PLACE)

    def test_an_unannounced_instance_is_read_by_an_annotation(self, payloads: PayloadCodec) -> None:
        """Store a dataclass that no annotation told of, also inside plain containers."""
        pytest.importorskip("pydantic", reason="typed values need pydantic")

        payload = payloads.encode({"orders": [ORDER]}, _PLACE)

        read = payloads.decode_as(payload, dict[str, list[Order]], _PLACE)
        assert {"orders": [ORDER]} == read

    def test_a_value_that_does_not_fit_is_no_damage(self, payloads: PayloadCodec) -> None:
        """Tell it from bytes that cannot be read."""
        pytest.importorskip("pydantic", reason="typed values need pydantic")

        payload = payloads.encode({"sku": 1}, _PLACE)

        with pytest.raises(InvalidValueError, match=r"^ValidationError"):
            payloads.decode_as(payload, Line, _PLACE)
