"""SEMANTICS 31 and 32: everything has a readable path, and everything composes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir import (
    Flow,
    LoopResult,
    Operations,
    WorkflowError,
    get_task_context,
    run_workflow,
    send_signal,
)
from tests.semantics.driving import resume_workflow, run_durable_workflow


def validate(value):
    return value + 1


def charge(value):
    return value * 2


def total(got):
    return sum(got.values())


def turn(value):
    return LoopResult.done(value) if value >= 3 else LoopResult.again(value + 1)


def finished(workflow, value, backend, iid):
    """Run to the end and return the operations to ask."""
    status = run_durable_workflow(workflow, iid, value, backend)
    assert status.is_completed(), status
    return Operations(backend)


def everything():
    """Return a workflow in which one function stands in many scopes."""
    child = Flow("child").then(validate).then(charge).build()
    return (
        Flow("f")
        .then(validate)
        .fork()
        .branch(charge, validate, name="pay")
        .branch(validate, name="stock")
        .join(total)
        .loop(turn)
        .then_flow(child)
        .route(lambda x: "big" if x > 5 else "small", keys=["big", "small"])
        .branch("big", validate)
        .branch("small", charge)
        .done()
        .build()
    )


def test_case_31_every_step_is_readable_under_its_path(backend, iid):
    """Branches, arms, bodies and sub-flows are scopes of their own."""
    operations = finished(everything(), 1, backend, iid)
    expected = {
        "validate": 2,
        "fork_0/pay/pay": 4,
        "fork_0/pay/validate": 5,
        "fork_0/stock/stock": 3,
        "total": 8,
        "loop_0/turn": 8,
        "child_0/validate": 9,
        "child_0/charge": 18,
        "branch_0/key": "big",
        "branch_0/big/validate": 19,
    }

    assert expected == {path: operations.get_task_result(iid, path) for path in expected}


def test_case_31_composites_are_readable_too(backend, iid):
    """A fork gives its join's value, a branch, loop, sub-flow or route what came out of it."""
    operations = finished(everything(), 1, backend, iid)
    expected = {
        "fork_0": 8,
        "fork_0/pay": 5,
        "fork_0/stock": 3,
        "loop_0": 8,
        "child_0": 18,
        "branch_0": {"branch": "big", "result": 19},
        "branch_0/big": 19,
    }

    assert expected == {path: operations.get_task_result(iid, path) for path in expected}


def test_case_31_a_suffix_that_fits_one_path_serves_as_id(backend, iid):
    """``key`` or ``pay/validate`` is enough; an exact path wins over a suffix."""
    operations = finished(everything(), 1, backend, iid)

    assert "big" == operations.get_task_result(iid, "key")
    assert 5 == operations.get_task_result(iid, "pay/validate")
    assert 2 == operations.get_task_result(iid, "validate")


def test_case_31_tasks_win_over_scopes(backend, iid):
    """``stock`` is the task in the branch of that name."""
    operations = finished(everything(), 1, backend, iid)

    assert "fork_0/stock/stock" == operations.task(iid, "stock").path


def test_case_31_an_ambiguous_suffix_lists_the_candidates(backend, iid):
    """The error names each path that fits."""
    workflow = (
        Flow("f").fork().branch(validate, charge).branch(charge, validate).join(total).build()
    )
    operations = finished(workflow, 1, backend, iid)

    with pytest.raises(WorkflowError) as caught:
        operations.get_task_result(iid, "charge")

    assert "fork_0/validate/charge" in str(caught.value)
    assert "fork_0/charge/charge" in str(caught.value)


def test_case_31_an_unknown_name_suggests_what_comes_close(backend, iid):
    """A typing error is told with a candidate."""
    operations = finished(Flow("f").then(charge).build(), 1, backend, iid)

    with pytest.raises(WorkflowError, match=r"chrage.*charge"):
        operations.get_task_result(iid, "chrage")


def test_case_31_a_loop_shows_its_last_turn_and_older_ones_by_number(backend, iid):
    """Turns count from 0."""
    operations = finished(Flow("f").loop(turn).build(), 0, backend, iid)

    assert 3 == operations.get_task_result(iid, "turn")
    assert [1, 2, 3, 3] == [operations.get_task_result(iid, f"turn[{n}]") for n in range(4)]
    assert operations.get_task_result(iid, "turn[4]") is None
    assert 3 == operations.get_task_result(iid, "loop_0")


def test_case_31_turns_of_nested_loops_are_chosen_outermost_first(backend, iid):
    """``inner[1][0]`` is the first inner turn of the second outer one."""

    def inner(value):
        return LoopResult.done(value) if value % 10 == 1 else LoopResult.again(value + 1)

    def outer(value):
        return LoopResult.done(value) if value > 20 else LoopResult.again(value + 9)

    body = Flow("body").loop(inner, name="inner").then(outer).build()
    operations = finished(Flow("f").loop(body).build(), 0, backend, iid)
    asked = ("inner[0][0]", "inner[0][1]", "inner[1][0]", "inner[1]", "inner", "outer[1]")

    assert [1, 1, 11, 11, 21, 20] == [operations.get_task_result(iid, text) for text in asked]


def test_case_31_the_context_has_the_last_segment_and_the_whole_path(drive):
    """``task_id`` and ``task_path`` inside of a nested scope."""

    def where(value):
        context = get_task_context()
        return [context.task_id, context.task_path]

    child = Flow("child").then(where).build()
    workflow = Flow("f").fork().branch(validate, child, name="b").join(lambda got: got).build()

    assert {"b": ["where", "fork_0/b/child_0/where"]} == drive(workflow, 1)


def everything_inside():
    """Return a workflow that holds a fork, a route, a loop, a signal and a delay."""
    return (
        Flow("inside")
        .fork()
        .branch(validate)
        .branch(charge)
        .join(total)
        .route(lambda _: "k", keys=["k"])
        .branch("k", lambda x: x)
        .done()
        .then(lambda got: got["result"], name="open")
        .loop(turn, name="spin")
        .delay("nap", 0.01)
        .then(lambda x: x + 100, name="last")
        .build()
    )


def in_branch(inside):
    return Flow("f").fork().branch(inside, name="b").branch(validate).join(lambda got: got).build()


def in_arm(inside):
    return Flow("f").route(lambda _: "k", keys=["k"]).branch("k", inside).done().build()


def in_default_arm(inside):
    return Flow("f").route(lambda _: "k", keys=[]).default_branch(inside).done().build()


def in_child(inside):
    return Flow("f").then_flow(inside).build()


def in_body(inside):
    body = Flow("body").then_flow(inside).then(lambda x: LoopResult.done(x), name="end").build()  # noqa: PLW0108
    return Flow("f").loop(body).build()


def among_tasks(inside):
    return Flow("f").fork().branch(charge, inside, validate).join(lambda got: got).build()


@pytest.mark.parametrize(
    ("nest", "expected"),
    [
        (in_branch, {"b": 116, "validate": 6}),
        (in_arm, {"branch": "k", "result": 116}),
        (in_default_arm, {"branch": "k", "result": 116}),
        (in_child, 116),
        (in_body, 116),
        (among_tasks, {"charge": 132}),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_case_32_any_workflow_stands_in_any_scope(nest, expected, backend, iid, eventually):
    """Forks, routes, loops and delays nest in branches, arms, bodies and sub-flows."""
    workflow = nest(everything_inside())

    status = run_durable_workflow(workflow, iid, 5, backend)
    while not status.is_completed():
        assert status.status in {"waiting", "in_progress"}, status
        eventually(lambda: Operations(backend).status(iid).is_in_progress())
        status = resume_workflow(workflow, iid, backend)

    assert expected == status.output == run_workflow(workflow, 5)


@pytest.mark.parametrize(
    "nest", [in_branch, in_arm, in_default_arm, in_child, in_body, among_tasks]
)
def test_case_32_signals_stand_in_any_scope(nest, backend, iid):
    """The run parks on the inner signal, and its payload goes on from there."""
    inside = Flow("inside").wait_for_signal("go", name="gate").then(validate, name="v").build()
    workflow = nest(inside)

    parked = run_durable_workflow(workflow, iid, 5, backend)
    send_signal(iid, "go", 41, backend)
    status = resume_workflow(workflow, iid, backend)

    assert ("awaiting_signal", "gate", "go") == (
        parked.status,
        parked.signal_id,
        parked.signal_name,
    )
    assert status.is_completed()
    assert 42 == Operations(backend).get_task_result(iid, "v")


@pytest.mark.parametrize(
    "nest", [in_branch, in_arm, in_default_arm, in_child, in_body, among_tasks]
)
def test_case_32_delays_stand_in_any_scope(nest, timed_store, iid):
    """The run parks on the inner delay and goes on when it is over."""
    backend = timed_store.backend
    inside = Flow("inside").delay("nap", timedelta(days=2)).then(validate, name="v").build()
    workflow = nest(inside)

    parked = run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(timedelta(days=2))
    status = resume_workflow(workflow, iid, backend)

    assert ("waiting", "nap") == (parked.status, parked.delay_id)
    assert status.is_completed()


def test_case_32_a_loop_body_may_be_a_whole_workflow(drive):
    """Each turn runs the fork inside anew."""
    body = (
        Flow("body")
        .fork()
        .branch(validate)
        .branch(charge)
        .join(total)
        .then(lambda x: LoopResult.done(x) if x > 50 else LoopResult.again(x), name="judge")
        .build()
    )

    assert 67 == drive(Flow("f").loop(body).build(), 2)


def test_case_32_the_same_workflow_may_stand_in_several_scopes(drive):
    """Two branches and what follows use one child."""
    child = Flow("child").then(validate).then(charge).build()
    workflow = (
        Flow("f")
        .fork()
        .branch(child, name="a")
        .branch(child, name="b")
        .join(total)
        .then_flow(child)
        .build()
    )

    assert 18 == drive(workflow, 1)


def test_case_32_fifty_levels_of_forks_run(drive):
    """Depth costs no stack."""
    workflow = Flow("f").then(validate).build()
    for _ in range(50):
        workflow = Flow("f").fork().branch(workflow, name="b").join(lambda got: got["b"]).build()

    assert 6 == drive(workflow, 5)
