"""Payloads of any annotation come back from the JSON codec as they went in."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from sayiir_pytest.strategies import payloads
from sayiir_runtime.codec import TaskValues
from sayiir_runtime.payloads import default_codec


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    number: Annotated[int, Field(gt=0, le=999)]


class Order(BaseModel):
    item: str = Field(min_length=1, max_length=12)
    amount: Decimal = Field(ge=0, decimal_places=2, max_digits=9)
    colour: Colour
    to: Address | None = None
    tags: list[str] = []
    kind: str = Field(alias="type")

    @field_validator("item")
    @classmethod
    def not_blank(cls, item: str) -> str:
        """Refuse what only a validator can."""
        if not item.strip():
            raise ValueError("blank")
        return item


class Tree(BaseModel):
    value: int
    children: list[Tree] = Field(max_length=2)


@dataclass
class Point:
    x: float
    y: float
    label: str = ""
    history: list[Point] = field(default_factory=list)


class Parcel(TypedDict):
    id: UUID
    weight: NotRequired[float]


CustomerId = NewType("CustomerId", int)

KINDS = [
    Any,
    int,
    bool,
    str,
    float,
    bytes,
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    Decimal,
    UUID,
    Colour,
    CustomerId,
    Literal["a", "b", 3],
    int | None,
    list[int],
    dict[str, float],
    set[int],
    tuple[int, str],
    tuple[int, ...],
    list[Order],
    dict[str, Address | None],
    Annotated[int, Field(ge=3, le=5)],
    Order,
    Tree,
    Point,
    Parcel,
]


def values_of(kind: Any) -> TaskValues:
    def take(value):
        return value

    take.__annotations__ = {"value": kind, "return": kind}
    return TaskValues.from_function(take, default_codec())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_payload_is_the_same_after_it_was_stored(kind: Any) -> None:
    """A task gets what the one before it gave, for every annotation."""
    values = values_of(kind)

    @settings(max_examples=40, deadline=None)
    @given(payloads(kind))
    def law(value: Any) -> None:
        assert value == values.decode_input(values.encode_output(value))

    law()


@settings(max_examples=60, deadline=None)
@given(payloads(Order))
def test_models_keep_their_constraints_and_validators(order: Order) -> None:
    """Nothing is drawn that the model itself would refuse."""
    assert 1 <= len(order.item) <= 12
    assert order.item.strip()
    assert order.amount >= 0
    assert order.to is None or 0 < order.to.number <= 999


def test_what_contains_itself_can_be_drawn() -> None:
    """Recursive models and dataclasses end."""
    depths: set[int] = set()

    def depth(tree: Tree) -> int:
        return 1 + max(map(depth, tree.children), default=0)

    @settings(max_examples=100, deadline=None, database=None)
    @given(payloads(Tree))
    def look(tree: Tree) -> None:
        depths.add(depth(tree))

    look()

    assert max(depths) > 1


def test_optional_keys_are_sometimes_absent() -> None:
    """A typed dict is drawn with and without them."""
    seen: set[bool] = set()

    @settings(max_examples=50, deadline=None, database=None)
    @given(payloads(Parcel))
    def look(parcel: Parcel) -> None:
        seen.add("weight" in parcel)

    look()

    assert {True, False} == seen


@given(st.data())
def test_plain_values_are_json_values(data: st.DataObject) -> None:
    """Without an annotation there are no tuples, no keys but text and no infinite numbers."""
    value = data.draw(payloads())

    assert default_codec().decode(default_codec().encode(value)) == value
