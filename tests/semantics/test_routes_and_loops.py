"""SEMANTICS 33 to 35: choices, repetitions and sub-flows."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import pytest

from sayiir import DeserializationError, Flow, LoopResult, OnMax, Operations, RetryPolicy, task
from tests.semantics.driving import run_durable_workflow


def inc(value):
    return value + 1


def dbl(value):
    return value * 2


def ten(value):
    return value * 10


def parity(value):
    return "even" if value % 2 == 0 else "odd"


def by_parity(keys=("even", "odd")):
    return (
        Flow("f")
        .route(parity, keys=list(keys))
        .branch("even", inc, dbl)
        .branch("odd", ten)
        .done()
        .build()
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(4, {"branch": "even", "result": 10}), (5, {"branch": "odd", "result": 50})],
)
def test_case_33_an_arm_receives_the_value_before_the_route(drive, value, expected):
    """Downstream gets the key and the arm's result."""
    assert expected == drive(by_parity(), value)


def test_case_33_the_task_after_a_route_receives_the_envelope(drive):
    """It is a plain dict of ``branch`` and ``result``."""
    workflow = (
        Flow("f")
        .route(parity, keys=["even", "odd"])
        .branch("even", inc)
        .branch("odd", dbl)
        .done()
        .then(lambda got: [got["branch"], got["result"]])
        .build()
    )

    assert ["odd", 10] == drive(workflow, 5)


def test_case_33_an_unmatched_key_takes_the_default_under_its_real_name(drive):
    """The envelope reports what the key function said."""
    workflow = (
        Flow("f")
        .route(lambda x: f"size-{x}", keys=["small"])
        .branch("small", inc)
        .default_branch(dbl)
        .done()
        .build()
    )

    assert {"branch": "size-5", "result": 10} == drive(workflow, 5)


def test_case_33_an_unmatched_key_without_default_fails_naming_route_and_key(drive):
    """The text has both, and the remedy."""
    workflow = Flow("f").route(lambda _: "up", keys=["down"]).branch("down", inc).done().build()

    error = drive.end(workflow, 5).error

    assert error.startswith("RouteError")
    assert "branch_0" in error
    assert "'up'" in error


@pytest.mark.parametrize("key", [7, None, True, ["even"], b"even"], ids=repr)
def test_case_33_a_key_that_is_no_string_is_a_deserialization_error(drive, key):
    """It fails the run, also where there is a default."""
    workflow = (
        Flow("f")
        .route(lambda _: key, keys=["even"])
        .branch("even", inc)
        .default_branch(dbl)
        .done()
        .build()
    )

    assert drive.end(workflow, 5).error.startswith(DeserializationError.__name__)


class Parity(StrEnum):
    EVEN = "even"
    ODD = "odd"


def test_case_33_keys_may_be_a_string_enum(drive):
    """Members are valid in ``branch`` and as the key function's result."""
    workflow = (
        Flow("f")
        .route(lambda x: Parity.EVEN if x % 2 == 0 else Parity.ODD, keys=Parity)
        .branch(Parity.EVEN, inc)
        .branch("odd", dbl)
        .done()
        .build()
    )

    assert {"branch": "even", "result": 5} == drive(workflow, 4)
    assert {"branch": "odd", "result": 10} == drive(workflow, 5)


def test_case_33_an_annotated_key_function_may_return_an_enum(drive):
    """The annotation changes nothing."""

    def key(value: int) -> Parity:
        return Parity.EVEN if value % 2 == 0 else Parity.ODD

    workflow = (
        Flow("f")
        .route(key, keys=Parity)
        .branch(Parity.EVEN, inc)
        .branch(Parity.ODD, dbl)
        .done()
        .build()
    )

    assert {"branch": "odd", "result": 10} == drive(workflow, 5)


def test_case_33_keys_may_be_a_literal_type(drive):
    """A ``Literal`` lists the keys."""
    workflow = (
        Flow("f")
        .route(parity, keys=Literal["even", "odd"])
        .branch("even", inc)
        .branch("odd", dbl)
        .done()
        .build()
    )

    assert {"branch": "odd", "result": 10} == drive(workflow, 5)


def test_case_33_routes_nest_in_arms(drive):
    """The inner envelope is the outer result."""
    inner = Flow("inner").route(parity, keys=["odd"]).branch("odd", inc).done().build()
    workflow = Flow("f").route(parity, keys=["odd"]).branch("odd", inner).done().build()

    expected = {"branch": "odd", "result": {"branch": "odd", "result": 6}}
    assert expected == drive(workflow, 5)


def test_decision_a_key_function_is_a_task_with_a_path(backend, iid):
    """It is recorded, retried and read under ``branch_0/key``."""
    calls = []

    @task(retries=RetryPolicy(1, 0.001))
    def flaky(value):
        calls.append(value)
        if len(calls) == 1:
            raise ValueError("again")
        return "k"

    workflow = Flow("f").route(flaky, keys=["k"]).branch("k", inc).done().build()

    status = run_durable_workflow(workflow, iid, 5, backend)
    step = Operations(backend).task(iid, "branch_0/key")

    assert {"branch": "k", "result": 6} == status.output
    assert ("k", 2) == (step.value, step.attempts)


def to_three(value):
    return LoopResult.done(value) if value >= 3 else LoopResult.again(value + 1)


def to_three_as_dict(value):
    return {"_loop": "done" if value >= 3 else "again", "value": value + (value < 3)}


@pytest.mark.parametrize("body", [to_three, to_three_as_dict])
def test_case_34_a_loop_goes_on_until_done(drive, body):
    """The object and the dict form are equal, and the value is unwrapped."""
    assert 3 == drive(Flow("f").loop(body).build(), 0)


@pytest.mark.parametrize("body", [to_three, to_three_as_dict])
def test_case_34_what_follows_a_loop_receives_the_plain_value(drive, body):
    """Nothing of the loop is seen downstream."""
    assert 30 == drive(Flow("f").loop(body).then(ten).build(), 0)


@pytest.mark.parametrize("wrap", [lambda r: r, lambda r: {"nested": [r]}], ids=["bare", "nested"])
def test_a_loop_result_outside_of_a_loop_fails_the_task_and_names_the_remedy(backend, iid, wrap):
    """It is not stored as the dataclass that it is: the author wanted a loop."""

    def stray(value):
        return wrap(LoopResult.again(value))

    status = run_durable_workflow(Flow("f").then(stray).build(), iid, 1, backend)

    assert ("failed", "stray") == (status.status, status.failed_task)
    assert ".loop(fn)" in (status.error or "")


def test_case_34_a_dict_that_only_looks_like_one_is_a_plain_value(drive):
    """More keys than two, or another word, is no ``LoopResult``."""
    for value in ({"_loop": "done", "value": 1, "more": 2}, {"_loop": "stop", "value": 1}):
        workflow = Flow("f").loop(lambda _, value=value: value, name="body").build()

        assert "loop_0" in drive.end(workflow, 0).error


def test_case_34_a_cap_with_fail_names_loop_and_cap(drive):
    """The cap counts body executions."""
    calls = []

    def forever(value):
        calls.append(value)
        return LoopResult.again(value + 1)

    error = drive.end(Flow("f").loop(forever, max_iterations=2).build(), 0).error

    assert [0, 1] == calls
    assert error.startswith("LoopLimitError")
    assert "loop_0" in error
    assert "2" in error


@pytest.mark.parametrize("on_max", ["exit_with_last", OnMax.EXIT_WITH_LAST])
def test_case_34_a_cap_may_give_the_last_value(drive, on_max):
    """The value of the last ``again`` leaves the loop."""
    calls = []

    def forever(value):
        calls.append(value)
        return LoopResult.again(value + 1)

    workflow = Flow("f").loop(forever, max_iterations=2, on_max=on_max).then(ten).build()

    assert 20 == drive(workflow, 0)
    assert [0, 1] == calls


def test_case_34_done_at_the_cap_is_no_failure(drive):
    """The last allowed turn may end the loop."""
    assert 3 == drive(Flow("f").loop(to_three, max_iterations=4).build(), 0)


@pytest.mark.parametrize("value", [7, None, {"a": 1}, "done"], ids=repr)
def test_case_34_a_plain_return_value_fails_and_names_the_loop(drive, value):
    """The error says what to return instead."""
    error = drive.end(Flow("f").loop(lambda _: value, name="body").build(), 0).error

    assert error.startswith("LoopResultError")
    assert "loop_0" in error
    assert "LoopResult" in error


def test_case_34_ten_turns_are_the_default_cap(drive):
    """The tenth ``again`` fails."""
    calls = []

    def forever(value):
        calls.append(value)
        return LoopResult.again(value)

    drive.end(Flow("f").loop(forever).build(), 0)

    assert 10 == len(calls)


def test_case_34_loops_nest(drive):
    """An inner loop starts afresh in each outer turn."""

    def inner(value):
        return LoopResult.done(value + 1) if value % 3 == 2 else LoopResult.again(value + 1)

    def outer(value):
        return LoopResult.done(value) if value >= 9 else LoopResult.again(value)

    body = Flow("body").loop(inner).then(outer).build()

    assert 9 == drive(Flow("f").loop(body).build(), 0)


def test_case_34_a_loop_of_hundreds_of_turns_runs(drive):
    """Turns cost no stack."""

    def count(value):
        return LoopResult.done(value) if value == 500 else LoopResult.again(value + 1)

    assert 500 == drive(Flow("f").loop(count, max_iterations=1000).build(), 0)


def test_case_35_a_sub_flow_runs_in_place(drive):
    """1 → (1+1)*10 → +1 → 21."""
    child = Flow("child").then(inc).then(ten).build()

    assert 21 == drive(Flow("f").then_flow(child).then(inc).build(), 1)


def test_case_35_the_same_sub_flow_may_stand_twice(drive):
    """Twice on 1 gives 210."""
    child = Flow("child").then(inc).then(ten).build()

    assert 210 == drive(Flow("f").then_flow(child).then_flow(child).build(), 1)
