"""SEMANTICS 28 to 30: branches side by side, and what a failing one does."""

from __future__ import annotations

import threading
import time

import pytest

from sayiir import Flow, InstanceNotFoundError, Operations, run_workflow
from tests.semantics.driving import run_durable_workflow


def inc(value):
    return value + 1


def dbl(value):
    return value * 2


def idt(value):
    return value


def test_case_28_a_fork_joins_its_branches_in_declaration_order(drive):
    """Each branch starts from the value before the fork; names are those of the first tasks."""
    workflow = Flow("f").fork().branch(inc).branch(dbl, lambda x: x + 100).join(idt).build()

    output = drive(workflow, 5)

    assert {"inc": 6, "dbl": 110} == output
    assert ["inc", "dbl"] == list(output)


def test_case_28_declaration_order_does_not_depend_on_who_ends_first(drive):
    """The first branch may be the last to end."""
    ended = threading.Event()

    def slow(value):
        assert ended.wait(10)
        return "slow"

    def quick(value):
        ended.set()
        return "quick"

    output = drive(Flow("f").fork().branch(slow).branch(quick).join(idt).build(), 1)

    assert ["slow", "quick"] == list(output)


def test_case_28_a_branch_can_be_named(drive):
    """``name=`` names the branch."""
    workflow = Flow("f").fork().branch(inc, name="a").branch(inc, dbl, name="b").join(idt).build()

    assert {"a": 6, "b": 12} == drive(workflow, 5)


def test_case_28_forks_follow_each_other(drive):
    """The join's value goes into the next fork."""
    workflow = (
        Flow("f")
        .fork()
        .branch(inc)
        .branch(dbl)
        .join(lambda got: sum(got.values()))
        .fork()
        .branch(inc, name="c")
        .branch(dbl, name="d")
        .join(lambda got: sum(got.values()))
        .build()
    )

    assert 49 == drive(workflow, 5)


def test_case_28_values_of_any_size_pass_a_fork(drive):
    """Large values are read by the branches and the join like small ones."""
    big = "x" * 300_000
    workflow = (
        Flow("f")
        .then(lambda: [big])
        .fork()
        .branch(lambda got: [got[0] + "a"], name="a")
        .branch(lambda got: len(got[0]), name="b")
        .join(lambda got: (len(got["a"][0]), got["b"]))
        .build()
    )

    assert [300_001, 300_000] == drive(workflow, None)


def test_case_29_branches_really_run_at_the_same_time(drive):
    """Two branches meet at a barrier, which needs both to be running."""
    barrier = threading.Barrier(2)

    def meet(value):
        barrier.wait(10)
        return value

    workflow = Flow("f").fork().branch(meet, name="a").branch(meet, name="b").join(idt).build()

    assert {"a": 1, "b": 1} == drive(workflow, 1)


def test_case_29_two_sleeps_take_the_time_of_one():
    """Two branches of 0.2 s take less than 0.35 s."""

    def sleep(value):
        time.sleep(0.2)
        return value

    workflow = Flow("f").fork().branch(sleep, name="a").branch(sleep, name="b").join(idt).build()
    started = time.perf_counter()

    run_workflow(workflow, 1)

    assert time.perf_counter() - started < 0.35


def test_case_29_branches_never_wait_for_each_other_between_steps(drive):
    """The second step of one branch runs while the first step of another still does."""
    reached = threading.Event()

    def first(value):
        assert reached.wait(10)
        return value

    def set_reached(value):
        reached.set()
        return value

    workflow = Flow("f").fork().branch(first).branch(idt, inc, set_reached).join(idt).build()

    assert {"first": 1, "idt": 2} == drive(workflow, 1)


def test_decision_branches_run_in_a_bounded_pool(drive):
    """Forty branches complete, at most 32 of them at once."""
    lock, running, most = threading.Lock(), [0], [0]

    def body(value):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1
        return value

    fork = Flow("f").fork()
    for number in range(40):
        fork = fork.branch(body, name=f"b{number}")

    output = drive(fork.join(idt).build(), 1)

    assert {f"b{number}": 1 for number in range(40)} == output
    assert 1 < most[0] <= 32


def test_decision_a_fork_has_at_most_ten_thousand_branches():
    """One more is refused at build, with the number."""
    fork = Flow("f").fork()
    for number in range(10_001):
        fork = fork.branch(idt, name=f"b{number}")

    with pytest.raises(ValueError, match=r"10[,_]?000"):
        fork.join(idt).build()


def fail(value):
    raise ValueError("bad")


def test_case_30_a_failing_branch_fails_the_instance_with_its_error(drive):
    """The join is not called."""
    called = []
    workflow = Flow("f").fork().branch(fail).branch(inc).join(called.append).build()

    assert "ValueError: bad" == drive.end(workflow, 1).error
    assert [] == called


def test_case_30_running_siblings_finish_and_are_recorded_and_none_starts_after(
    backend, iid, eventually
):
    """The sibling's running step is kept; its next one is not called."""
    operations = Operations(backend)
    called, sibling_runs = [], threading.Event()

    def first(value):
        sibling_runs.set()
        eventually(lambda: operations.status(iid).error)
        called.append("first")
        return "kept"

    def second(value):
        called.append("second")

    def bad(value):
        assert sibling_runs.wait(10)
        raise ValueError("bad")

    workflow = Flow("f").fork().branch(first, second).branch(bad).join(called.append).build()

    status = run_durable_workflow(workflow, iid, 1, backend)

    assert ("failed", "ValueError: bad") == (status.status, status.error)
    assert ["first"] == called
    assert "kept" == operations.get_task_result(iid, "first")
    assert "absent" == operations.task(iid, "second").state


def test_case_30_the_failure_is_seen_at_once_and_failed_when_nothing_runs(
    backend, iid, eventually, background
):
    """While a sibling runs the status is in progress with the error filled."""
    operations = Operations(backend)
    both, release = threading.Barrier(2), threading.Event()

    def slow(value):
        both.wait(10)
        assert release.wait(10)
        return value

    def bad(value):
        both.wait(10)
        raise ValueError("bad")

    workflow = Flow("f").fork().branch(slow).branch(bad).join(idt).build()
    run = background(lambda: run_durable_workflow(workflow, iid, 1, backend))

    meanwhile = eventually(lambda: _with_error(operations, iid))
    release.set()

    assert ("in_progress", "ValueError: bad") == (meanwhile.status, meanwhile.error)
    assert "failed" == run.result().status


def _with_error(operations, iid):
    try:
        status = operations.status(iid)
    except InstanceNotFoundError:
        return None
    return status if status.error else None


def test_case_30_a_failed_branch_leaves_queued_siblings_uncalled(drive):
    """With more branches than the pool has threads, those that wait are not started."""
    called = []

    def count(value):
        called.append(value)
        time.sleep(0.01)
        return value

    fork = Flow("f").fork().branch(fail)
    for number in range(100):
        fork = fork.branch(count, name=f"b{number}")

    ended = drive.end(fork.join(idt).build(), 1)

    assert "ValueError: bad" == ended.error
    assert len(called) < 100
