"""SEMANTICS 13 to 17: what a task receives is what was stored, in every driver."""

from __future__ import annotations

import math

import pytest
from pydantic import BaseModel

from sayiir import EncodeError, Flow, InstanceNotFoundError, Operations, run_workflow, task
from tests.semantics.driving import run_durable_workflow


def keep(value):
    return value


def passed(drive, value):
    """Return what a task received, and what the caller got, of a value that a task returned."""
    received = []
    workflow = Flow("f").then(lambda: value).then(received.append).then(lambda: value).build()
    output = drive(workflow, None)
    return received[0], output


def test_case_13_a_dict_arrives_whole(drive):
    """Nested plain data comes back equal."""
    value = {"id": 1, "lines": [{"sku": "a", "n": 2, "price": 1.5}], "note": None, "ok": True}

    assert (value, value) == passed(drive, value)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({1: 2}, {"1": 2}),
        ({None: 1, True: 2, 1.5: 3}, {"null": 1, "true": 2, "1.5": 3}),
        ((1, (2, 3)), [1, [2, 3]]),
        (None, None),
        (2**70, 2**70),
        ({"big": 2**70}, {"big": 2**70}),
        (-0.0, -0.0),
        (math.inf, math.inf),
        ("\ud800", "\ud800"),
        ([], []),
        ("", ""),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_case_13_values_follow_the_json_model(drive, value, seen):
    """Keys become text, tuples lists; None, huge numbers and odd texts survive."""
    assert (seen, seen) == passed(drive, value)


@pytest.mark.parametrize("value", [math.nan, [math.nan]], ids=["plain", "nested"])
def test_case_13_not_a_number_survives(drive, value):
    """NaN arrives as NaN and not as None."""
    received, output = passed(drive, value)

    for seen in (received, output):
        number = seen[0] if isinstance(seen, list) else seen
        assert isinstance(number, float)
        assert math.isnan(number)


def test_case_13_types_stay_exact(drive):
    """1, 1.0 and True are three values."""
    received, _ = passed(drive, [1, 1.0, True, "1"])

    assert [int, float, bool, str] == [type(part) for part in received]


def test_case_13_the_input_takes_the_same_form_as_any_value(drive):
    """The first task receives the decoded form of the input, not the caller's object."""
    assert {"1": [2, 3]} == drive(Flow("f").then(keep).build(), {1: (2, 3)})


def test_case_13_no_two_consumers_share_an_object(drive):
    """What a task does to its input is seen by nobody else (law 6)."""

    def spoil(value):
        value.append("spoilt")
        return len(value)

    source = [1]
    workflow = (
        Flow("f")
        .then(keep, name="source")
        .fork()
        .branch(spoil, name="one")
        .branch(spoil, name="two")
        .join(keep)
        .build()
    )

    assert {"one": 2, "two": 2} == drive(workflow, source)
    assert [1] == source


def test_case_14_an_input_that_is_no_json_is_a_type_error_and_stores_nothing(backend, iid):
    """The caller is told, and the instance does not exist."""
    workflow = Flow("f").then(keep).build()

    with pytest.raises(TypeError, match=r"object"):
        run_durable_workflow(workflow, iid, {"a": object()}, backend)

    with pytest.raises(InstanceNotFoundError):
        Operations(backend).status(iid)


def test_case_14_an_input_that_is_no_json_is_a_type_error_in_process():
    """The same refusal without a store."""
    with pytest.raises(TypeError, match=r"object"):
        run_workflow(Flow("f").then(keep).build(), {"a": object()})


def test_case_14_an_output_that_is_no_json_fails_the_step_and_is_not_retried(drive):
    """It would fail again, so the retries are not spent."""
    calls = []

    @task(retries=3)
    def bad(value):
        calls.append(value)
        return {"when": object()}

    ended = drive.end(Flow("f").then(bad).build(), 1)

    assert [1] == calls
    assert EncodeError.__name__ in ended.error
    assert "when" in ended.error


def test_case_14_colliding_keys_are_an_error(drive):
    """Two keys that become one text would lose a value."""
    ended = drive.end(Flow("f").then(lambda: {1: "a", "1": "b"}).build(), None)

    assert EncodeError.__name__ in ended.error


def test_case_15_a_callable_without_parameters_is_called_without_a_value(drive):
    """Functions, lambdas and joins of no argument are fine anywhere."""
    workflow = (
        Flow("f")
        .then(lambda: 1)
        .fork()
        .branch(lambda: 2, name="a")
        .join(lambda: 3)
        .route(lambda: "k", keys=["k"])
        .branch("k", lambda: 4)
        .done()
        .build()
    )

    assert {"branch": "k", "result": 4} == drive(workflow, "ignored")


class In(BaseModel):
    a: int


class Out(BaseModel):
    b: list[int]
    source: In


@task
def make(value: In) -> Out:
    return Out(b=[value.a, value.a + 1], source=value)


def test_case_16_a_model_is_validated_on_the_way_in(drive):
    """``In(a: int)`` given ``{"a": "3"}`` arrives as a model with 3."""
    received = []

    def look(value: In):
        received.append(value)
        return value.a

    assert 3 == drive(Flow("f").then(look).build(), {"a": "3"})
    assert [In(a=3)] == received


def test_case_16_a_returned_model_arrives_typed_at_the_next_step(drive):
    """A model is stored, and the annotation of the next task makes it a model again."""
    received = []

    def look(value: Out) -> int:
        received.append(value)
        return value.b[1]

    assert 4 == drive(Flow("f").then(make).then(look).build(), {"a": "3"})
    assert [Out(b=[3, 4], source=In(a=3))] == received


def test_case_16_a_task_without_annotation_receives_plain_data(drive):
    """A model that nobody asks for is a dict."""
    received = []
    workflow = Flow("f").then(make).then(received.append).build()

    drive(workflow, {"a": 3})

    assert [{"b": [3, 4], "source": {"a": 3}}] == received


def test_case_16_the_caller_gets_plain_values(drive):
    """A last task that returns a model gives a dict, in every driver."""
    assert {"b": [3, 4], "source": {"a": 3}} == drive(Flow("f").then(make).build(), {"a": 3})


def test_case_17_an_invalid_input_fails_the_step_and_is_not_retried(drive):
    """The text starts with ``ValidationError``, and the body is never called."""
    calls = []

    @task(retries=3)
    def look(value: In):
        calls.append(value)

    ended = drive.end(Flow("f").then(look).build(), {"a": "three"})

    assert [] == calls
    assert ended.error.startswith("ValidationError")
