"""SEMANTICS 18: annotated values of many types survive the store, and arrive typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, NamedTuple, Optional
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from sayiir import Flow, LoopResult
from tests.semantics.driving import run_durable_workflow


class Line(BaseModel):
    sku: str
    count: int = Field(alias="n")


class Other(BaseModel):
    name: str


@dataclass
class Point:
    x: int
    when: datetime


class Row(TypedDict):
    id: UUID
    amount: Decimal


class Pair(NamedTuple):
    left: int
    right: str


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


WHEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
UID = UUID("12345678-1234-5678-1234-567812345678")

TYPED: list[tuple[Any, Any]] = [
    (list[Line], [Line(sku="a", n=1), Line(sku="b", n=2)]),
    (dict[str, Line], {"first": Line(sku="a", n=1)}),
    (Optional[Line], None),  # noqa: UP045 - the spelling of the case
    (Optional[Line], Line(sku="a", n=1)),  # noqa: UP045
    (Line | Other, Other(name="x")),
    (Line | None, Line(sku="a", n=1)),
    (datetime, WHEN),
    (date, date(2026, 1, 2)),
    (time, time(3, 4, 5)),
    (timedelta, timedelta(days=2, microseconds=7)),
    (Decimal, Decimal("0.10")),
    (UUID, UID),
    (Colour, Colour.RED),
    (Level, Level.HIGH),
    (bytes, b"bytes"),
    (Point, Point(1, WHEN)),
    (Row, {"id": UID, "amount": Decimal("1.20")}),
    (Pair, Pair(1, "r")),
    (tuple[int, Decimal], (1, Decimal("2.5"))),
    (set[int], {1, 2}),
]


@pytest.mark.parametrize(("kind", "value"), TYPED, ids=[str(kind) for kind, _ in TYPED])
def test_case_18_an_annotated_value_arrives_as_its_type(drive, kind, value):
    """The return annotation stores it and the parameter annotation restores it."""
    received = []

    def make():
        return value

    def take(got):
        received.append(got)

    make.__annotations__ = {"return": kind}
    take.__annotations__ = {"got": kind}

    drive(Flow("f").then(make).then(take).build(), None)

    assert [value] == received
    assert type(value) is type(received[0])


def test_case_18_async_functions_are_typed_too(drive):
    """An async task's annotations count like any other's."""
    received = []

    async def make() -> list[Line]:
        return [Line(sku="a", n=1)]

    async def take(got: list[Line]) -> int:
        received.append(got)
        return len(got)

    assert 1 == drive(Flow("f").then(make).then(take).build(), None)
    assert [[Line(sku="a", n=1)]] == received


def test_case_18_aliases_round_trip(drive):
    """A field with an alias is read under the alias or its name, and stored under its name."""

    def again(line: Line) -> Line:
        return line

    workflow = Flow("f").then(again).then(again, name="twice").build()

    assert {"sku": "a", "count": 1} == drive(workflow, {"sku": "a", "n": 1})


def test_case_18_typed_values_pass_joins_and_routes(drive):
    """A model goes through an arm typed, and out of a join as plain data."""

    def make() -> Line:
        return Line(sku="a", n=1)

    def in_arm(line: Line) -> Line:
        assert isinstance(line, Line)
        return line

    workflow = (
        Flow("f")
        .then(make)
        .route(lambda line: line["sku"], keys=["a"])
        .branch("a", in_arm)
        .done()
        .fork()
        .branch(lambda envelope: envelope, name="whole")
        .join(lambda got: got)
        .build()
    )

    line = {"sku": "a", "count": 1}
    assert {"whole": {"branch": "a", "result": line}} == drive(workflow, None)


class BrokenError(BaseException):
    """No ``Exception``, as the panics of native validators are."""


class Unreadable(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def never(cls, value):
        """Break, other than by an error that validators raise for bad values."""
        raise (RuntimeError if value == 1 else BrokenError)("validator broke")


@pytest.mark.parametrize(("number", "name"), [(1, "RuntimeError"), (2, "BrokenError")])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_case_17_a_validator_that_breaks_fails_the_step(drive, number, name, is_async):
    """Reading the input calls the user's code, and its error is the task's."""

    def read(got: Unreadable):
        raise AssertionError("never called")

    async def aread(got: Unreadable):
        raise AssertionError("never called")

    def make():
        return {"a": number}

    workflow = Flow("f").then(make).then(aread if is_async else read, name="read").build()

    assert drive.end(workflow, None).error.startswith(f"{name}: validator broke")


def test_decision_loop_values_are_validated_by_the_type_of_the_loop_result(drive):
    """``LoopResult[Line]`` stores the value as a Line, and the next turn gets one."""
    received = []

    def turn(line: Line) -> LoopResult[Line]:
        received.append(line)
        if line.count < 3:
            return LoopResult.again(Line(sku=line.sku, n=line.count + 1))
        return LoopResult.done(line)

    output = drive(Flow("f").loop(turn).build(), {"sku": "a", "n": 1})

    assert {"sku": "a", "count": 3} == output
    assert [Line(sku="a", n=number) for number in (1, 2, 3)] == received


def test_decision_the_caller_validates_an_output_into_a_type(backend, iid):
    """``status.output`` is plain, and ``output_as`` makes it a model."""

    def make() -> Line:
        return Line(sku="a", n=1)

    status = run_durable_workflow(Flow("f").then(make).build(), iid, None, backend)

    assert {"sku": "a", "count": 1} == status.output
    assert Line(sku="a", n=1) == status.output_as(Line)
