"""SEMANTICS 40 to 43: how often, how long after, and how long at most."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from datetime import timedelta

import pytest

from sayiir import (
    CheckpointingRunner,
    Flow,
    LoopResult,
    Operations,
    RetryPolicy,
    get_task_context,
    task,
)
from tests.semantics.driving import resume_workflow, retry_workflow, run_durable_workflow

QUICK = RetryPolicy(3, 0.001)


class Flaky:
    """A task that fails its first calls; it notes the attempt number of each call."""

    def __init__(self, failures, error=ValueError):
        self.failures = failures
        self.error = error
        self.attempts = []

    def __call__(self, value):
        """Fail, or return the value."""
        self.attempts.append(get_task_context().attempt)
        if len(self.attempts) <= self.failures:
            raise self.error(f"failure {len(self.attempts)}")
        return value


def flaky(failures, policy=QUICK, error=ValueError):
    return task("flaky", retries=policy)(Flaky(failures, error))


def test_case_40_the_delays_grow_by_the_multiplier(drive):
    """3 retries of 0.1 s ×2 make 4 attempts with gaps of 0.1, 0.2 and 0.4 s."""
    moments = []

    @task(retries=RetryPolicy(3, 0.1, 2.0))
    def body(value):
        moments.append(time.monotonic())
        raise ValueError(f"failure {len(moments)}")

    ended = drive.end(Flow("f").then(body).build(), 1)
    gaps = [after - before for before, after in itertools.pairwise(moments)]

    assert "ValueError: failure 4" == ended.error
    assert 3 == len(gaps)
    for expected, gap in zip((0.1, 0.2, 0.4), gaps, strict=True):
        assert expected - 0.005 <= gap < expected + 0.5


def test_case_40_the_first_success_ends_it(drive):
    """No attempt follows one that succeeded; each knows its number."""
    body = flaky(2)

    assert 7 == drive(Flow("f").then(body).build(), 7)
    assert [1, 2, 3] == body.attempts


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_case_40_there_is_one_attempt_more_than_retries(drive, retries):
    """The error is that of the last attempt."""
    body = flaky(99, RetryPolicy(retries, 0.001))

    ended = drive.end(Flow("f").then(body).build(), 7)

    assert f"ValueError: failure {retries + 1}" == ended.error
    assert list(range(1, retries + 2)) == body.attempts


def test_case_40_without_a_policy_nothing_is_retried(drive):
    """A failure is final unless the task says otherwise."""
    body = Flaky(99)

    drive.end(Flow("f").then(body, name="x").build(), 7)

    assert [1] == body.attempts


def test_case_40_only_the_declared_errors_are_retried(drive):
    """``retry_on`` and ``give_up_on`` cover subclasses."""
    only_os = flaky(99, RetryPolicy(3, 0.001, retry_on=(OSError,)))
    connection = flaky(1, RetryPolicy(3, 0.001, retry_on=(OSError,)), error=ConnectionResetError)
    given_up = flaky(99, RetryPolicy(3, 0.001, give_up_on=(LookupError,)), error=KeyError)

    for body in (only_os, connection, given_up):
        drive.end(Flow("f").then(body).build(), 7)

    assert [[1], [1, 2], [1]] == [body.attempts for body in (only_os, connection, given_up)]


def test_case_40_every_attempt_receives_a_fresh_input(drive):
    """What a failed attempt did to its input is not seen by the next."""
    seen = []

    @task(retries=QUICK)
    def body(value):
        seen.append(list(value))
        value.append("spoilt")
        if len(seen) < 3:
            raise ValueError("again")
        return value

    drive(Flow("f").then(body).build(), [1])

    assert [[1], [1], [1]] == seen


def wrap_branch(body):
    return Flow("f").fork().branch(body, name="b").branch(lambda x: x, name="c").join(len).build()


def wrap_join(body):
    return Flow("f").fork().branch(lambda x: x, name="c").join(body).build()


def wrap_arm(body):
    return Flow("f").route(lambda _: "k", keys=["k"]).branch("k", body).done().build()


def wrap_loop(body):
    inner = Flow("i").then(body).then(lambda x: LoopResult.done(x), name="end").build()  # noqa: PLW0108
    return Flow("f").loop(inner).build()


def wrap_child(body):
    return Flow("f").then_flow(Flow("i").then(body).build()).build()


def wrap_nothing(body):
    return Flow("f").then(body).build()


WRAPS = [wrap_nothing, wrap_branch, wrap_join, wrap_arm, wrap_loop, wrap_child]


@pytest.mark.parametrize("wrap", WRAPS)
def test_case_40_retries_hold_in_every_scope(drive, wrap):
    """Branches, joins, arms, loops and sub-flows retry alike."""
    body = flaky(2)

    assert drive.end(wrap(body), 7).error is None
    assert [1, 2, 3] == body.attempts


def test_case_40_attempts_are_counted_in_each_turn_anew(drive):
    """A loop's next turn has all its attempts again."""
    attempts = []

    @task(retries=QUICK)
    def body(value):
        attempts.append(get_task_context().attempt)
        if attempts[-1] < 3:
            raise ValueError("again")
        return LoopResult.done(value) if value == 2 else LoopResult.again(value + 1)

    assert 2 == drive(Flow("f").loop(body).build(), 0)
    assert [1, 2, 3] * 3 == attempts


def test_case_40_the_cap_bounds_the_delay():
    """``max_delay`` is the longest wait."""
    policy = RetryPolicy(9, 1.0, 10.0, max_delay="5s")

    delays = [policy.delay_before(retry, salt="x").total_seconds() for retry in (1, 2, 3)]

    assert [1.0, 5.0, 5.0] == delays


def test_decision_jitter_is_asked_for_and_depends_on_run_step_and_attempt_only():
    """Without it the delay is exact; with it the same salt gives the same delay."""
    plain, jittered = RetryPolicy(3, 1.0), RetryPolicy(3, 1.0, jitter=0.5)
    salts = [f"run/{number}" for number in range(20)]

    delays = [jittered.delay_before(1, salt=salt).total_seconds() for salt in salts]

    assert {1.0} == {plain.delay_before(1, salt=salt).total_seconds() for salt in salts}
    assert delays == [jittered.delay_before(1, salt=salt).total_seconds() for salt in salts]
    assert len(set(delays)) > 10
    assert all(0.5 <= delay <= 1.0 for delay in delays)


def test_case_41_attempts_and_back_off_survive_the_process(
    timed_store, iid, background, eventually
):
    """Another process goes on with the second attempt when the stored time has come."""
    body = flaky(1, RetryPolicy(2, 3600.0))
    workflow = Flow("f").then(body).build()
    operations = Operations(timed_store.backend)
    runner = CheckpointingRunner(timed_store.backend)
    run = background(lambda: runner.run(workflow, iid, 7))
    eventually(lambda: body.attempts and operations.task(iid, "flaky").error)
    due = only_cursor(timed_store.backend, iid).available_at

    runner.stop()
    run.result()
    timed_store.clock.advance(timedelta(seconds=3600))
    status = resume_workflow(workflow, iid, timed_store.again())

    assert due == timed_store.clock.now()
    assert ("completed", 7) == (status.status, status.output)
    assert [1, 2] == body.attempts
    assert 2 == Operations(timed_store.again()).task(iid, "flaky").attempts


def only_cursor(backend, iid):
    (cursor,) = backend.instances.load(iid).cursors.values()
    return cursor


def test_decision_attempts_start_again_after_a_retry_and_stored_numbers_go_on(backend, iid):
    """``ctx.attempt`` counts from 1 with fresh attempts; the record's number does not repeat."""
    body = flaky(5, RetryPolicy(2, 0.001))
    workflow = Flow("f").then(body).build()

    failed = run_durable_workflow(workflow, iid, 7, backend)
    again = retry_workflow(workflow, iid, backend)

    assert ("failed", "ValueError: failure 3") == (failed.status, failed.error)
    assert [1, 2, 3, 1, 2, 3] == body.attempts
    assert 6 == Operations(backend).task(iid, "flaky").attempts
    assert 7 == again.output


def test_case_42_an_async_task_is_cancelled_at_the_limit(drive, eventually):
    """It sees the cancellation, and the error is a timeout."""
    seen = []

    @task(timeout=0.05)
    async def slow(value):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append(get_task_context().cancelled)
            raise

    started = time.monotonic()
    ended = drive.end(Flow("f").then(slow).build(), 1)

    assert ended.error.startswith("TaskTimeoutError")
    assert "slow" in ended.error
    assert time.monotonic() - started < 5
    assert [True] == eventually(lambda: seen)


def test_case_42_a_sync_task_is_given_up_at_the_limit(drive, eventually, caplog):
    """Its result is discarded; the thread is counted, reported, and told through the context."""
    release, told = threading.Event(), []

    @task(timeout=0.05)
    def slow(value):
        context = get_task_context()
        assert release.wait(10)
        told.append(context.cancelled)
        return "too late"

    with caplog.at_level(logging.WARNING, "sayiir"):
        ended = drive.end(Flow("f").then(slow).build(), 1)
    release.set()

    assert ended.error.startswith("TaskTimeoutError")
    assert [True] == eventually(lambda: told)
    assert any("slow" in text and "(one of 1)" in text for text in caplog.messages)


def test_case_42_the_instance_moves_on_while_the_thread_still_runs(drive):
    """The next attempt does not wait for the abandoned one."""
    release, calls = threading.Event(), []

    @task(timeout=0.05, retries=QUICK)
    def slow(value):
        calls.append(get_task_context().attempt)
        if len(calls) == 1:
            assert release.wait(10)
        return len(calls)

    assert 2 == drive(Flow("f").then(slow).build(), 1)
    release.set()
    assert [1, 2] == calls


def test_case_42_a_task_within_its_limit_is_left_alone(drive):
    """A timeout that is not reached changes nothing."""

    @task(timeout="30s")
    def quick(value):
        return value + 1

    @task(timeout="30s")
    async def aquick(value):
        return value + 1

    assert 7 == drive(Flow("f").then(quick).then(aquick).build(), 5)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_case_43_timeouts_count_per_attempt_and_hold_in_every_scope(drive, wrap, is_async):
    """The first attempt runs too long, the second does not, and the policy retries."""
    release, calls = threading.Event(), []

    def body(value):
        calls.append(get_task_context().attempt)
        if len(calls) == 1:
            assert release.wait(10)
        return value

    async def abody(value):
        calls.append(get_task_context().attempt)
        if len(calls) == 1:
            await asyncio.sleep(30)
        return value

    limited = task("limited", timeout=0.04, retries=QUICK)(abody if is_async else body)

    ended = drive.end(wrap(limited), 7)
    release.set()

    assert ended.error is None
    # Not more exact: on a busy machine the first may be given up before its body begins, and the
    # second may run too long as well.
    assert [calls[0], calls[0] + 1] == calls[:2]


def test_case_43_a_timed_out_attempt_is_recorded_as_such(backend, iid):
    """Its record says timed out, and the failure of the run is the timeout."""

    @task(timeout=0.03, retries=RetryPolicy(1, 0.001))
    async def slow(value):
        await asyncio.sleep(30)

    status = run_durable_workflow(Flow("f").then(slow).build(), iid, 1, backend)
    step = Operations(backend).task(iid, "slow")

    assert ("failed", "timed_out", 2) == (status.status, step.state, step.attempts)
    assert status.error.startswith("TaskTimeoutError")


def test_decision_retry_policies_are_judged_by_the_code_that_runs(backend, iid):
    """A retry with a more generous policy of the same definition uses the new one."""
    strict, generous = Flaky(3), RetryPolicy(5, 0.001)
    first = Flow("f").then(task("x")(lambda value: strict(value))).build()  # noqa: PLW0108
    second = Flow("f").then(task("x", retries=generous)(lambda value: strict(value))).build()  # noqa: PLW0108

    failed = run_durable_workflow(first, iid, 7, backend)
    revived = retry_workflow(second, iid, backend)

    assert "failed" == failed.status
    assert ("completed", 7) == (revived.status, revived.output)
