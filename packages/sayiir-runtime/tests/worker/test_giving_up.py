"""Bodies that a worker gives up: at their limit, counted as long as they run, never begun late."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sayiir_core.authoring import Flow, get_task_context, task
from sayiir_core.policy import RetryPolicy
from sayiir_runtime.worker import arrivals, clerk

LATE = 20.0


def idt(value):
    return value


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_short_limit_is_kept_although_nobody_looks_for_long(start, client, monkeypatch, is_async):
    """The start of a body with a limit wakes who watches the limits."""
    monkeypatch.setattr(clerk, "_TICK_SECONDS", 3600.0)
    release = threading.Event()

    def slow(value):
        assert release.wait(LATE)

    async def aslow(value):
        await asyncio.sleep(3600)

    workflow = Flow("f").then(task("slow", timeout=0.05)(aslow if is_async else slow)).build()
    start(workflow)
    handle = client.submit(workflow, "i", 1)

    status = handle.wait(LATE)
    release.set()

    assert status.error.startswith("TaskTimeoutError")


def test_a_body_that_ends_while_it_is_given_up_is_not_counted_for_ever(start, client, until):
    """It ends after its time was up and before that was told: its thread is no lost one."""
    release, ended = threading.Event(), []

    @task(timeout=0.05)
    def slow(value):
        ended.append(threading.current_thread())
        assert release.wait(LATE)

    workflow = Flow("f").then(slow).build()
    quick = Flow("quick").then(idt).build()
    worker = start(workflow, quick, concurrency=1)
    desk = worker._team._desk
    overdue = desk.overdue

    def overdue_and_ended():
        late = overdue()
        if late:
            release.set()
            until(lambda: not worker._team._crew._on_threads)
        return late

    desk.overdue = overdue_and_ended
    status = client.submit(workflow, "i", 1).wait(LATE)

    assert status.error.startswith("TaskTimeoutError")
    assert 1 == len(ended)
    assert 0 == worker.report().abandoned
    assert 7 == client.submit(quick, "next", 7).result(LATE)


def test_a_body_is_not_begun_after_its_cursor_was_given_back(
    start, client, disturbed, until, monkeypatch
):
    """The worker was aborted while it read the input: another worker runs the body now."""
    monkeypatch.setattr(arrivals, "MOST_ARRIVALS", 0)  # so that the join has to be read
    reading, go_on, calls = threading.Event(), threading.Event(), []

    def slowly(read):
        reading.set()
        assert go_on.wait(LATE)
        return read()

    def join(got):
        calls.append(threading.current_thread().name)
        return got

    workflow = Flow("f").fork().branch(idt, name="a").branch(idt, name="b").join(join).build()
    disturbed.around["results.branches"] = slowly
    client = type(client)(disturbed)
    first = start(workflow, store=disturbed, name="first")
    handle = client.submit(workflow, "i", 1)
    assert reading.wait(LATE)

    first.abort()
    assert first.join(LATE)
    disturbed.around.clear()
    start(workflow, store=disturbed, name="second")
    output = handle.result(LATE)
    go_on.set()
    until(lambda: not [each for each in threading.enumerate() if "sayiir-first" in each.name])

    assert {"a": 1, "b": 1} == output
    assert 1 == len(calls)
    assert calls[0].startswith("sayiir-second")


def test_a_coroutine_whose_input_comes_after_the_end_is_not_begun(
    start, client, disturbed, until, monkeypatch
):
    """Its loop is closed by then, and nobody is told an error."""
    monkeypatch.setattr(arrivals, "MOST_ARRIVALS", 0)  # so that the join has to be read
    reading, go_on, calls = threading.Event(), threading.Event(), []

    def slowly(read):
        reading.set()
        assert go_on.wait(LATE)
        return read()

    async def join(got):
        calls.append(got)

    workflow = Flow("f").fork().branch(idt, name="a").join(join).build()
    disturbed.around["results.branches"] = slowly
    worker = start(workflow, store=disturbed, name="first")
    type(client)(disturbed).submit(workflow, "i", 1)
    assert reading.wait(LATE)

    worker.abort()
    assert worker.join(LATE)
    go_on.set()
    until(lambda: not [each for each in threading.enumerate() if "sayiir-first" in each.name])

    assert [] == calls


def test_given_up_threads_are_counted_and_their_slots_are_free(start, client, until):
    """With room for one, the next task runs beside the one that nobody waits for."""
    release, told = threading.Event(), []

    @task(timeout=0.05)
    def slow(value):
        context = get_task_context()
        assert release.wait(LATE)
        told.append(context.cancelled)

    workflow = Flow("f").then(slow).build()
    quick = Flow("quick").then(idt).build()
    worker = start(workflow, quick, concurrency=1)

    assert client.submit(workflow, "i", 1).wait(LATE).error.startswith("TaskTimeoutError")
    output = client.submit(quick, "next", 7).result(LATE)
    counted = worker.report().abandoned
    release.set()
    until(lambda: worker.report().abandoned == 0)

    assert (7, 1, [True]) == (output, counted, told)


def test_a_timed_out_body_is_counted_beside_its_own_next_attempts(start, client, until, caplog):
    """Its cursor is claimed again while it still runs: each given up body counts until it ends."""
    releases = [threading.Event() for _ in range(2)]
    calls = []

    @task(timeout=0.1, retries=RetryPolicy(2, 0.0))
    def slow(value):
        calls.append(value)
        if len(calls) <= len(releases):
            assert releases[len(calls) - 1].wait(LATE)
        return value

    workflow = Flow("f").then(slow).build()
    worker = start(workflow, concurrency=1)

    assert 7 == client.submit(workflow, "i", 7).result(LATE)
    report = worker.report()
    releases[0].set()
    until(lambda: worker.report().abandoned == 1)
    releases[1].set()
    until(lambda: worker.report().abandoned == 0)

    counts = report.counts
    given_up = [record.getMessage() for record in caplog.records if "given up" in record.message]
    assert (2, [], 0) == (report.abandoned, report.running, report.held)
    assert (3, 2, 2, 2) == tuple(counts[it] for it in ("started", "timed_out", "failed", "retried"))
    assert 1 == counts["succeeded"]
    assert ["(one of 1)", "(one of 2)"] == [text.partition("; ")[0][-10:] for text in given_up]


def test_a_body_whose_cursor_is_lost_and_claimed_again_keeps_no_slot(
    start, client, backend, until, caplog
):
    """It was freed behind the worker's back: its thread is given up, told, and replaced."""
    release, first, told, beside = threading.Event(), threading.Event(), [], threading.Event()

    def slow(value):
        if not first.is_set():
            first.set()
            context = get_task_context()
            until(lambda: context.cancelled)
            told.append(True)
            assert release.wait(LATE)
        else:
            assert beside.wait(LATE)
        return value

    def meet(value):
        beside.set()
        return value

    workflow = Flow("f").then(slow).build()
    quick = Flow("quick").then(meet).build()
    worker = start(workflow, quick, concurrency=2)
    handle = client.submit(workflow, "i", 1)
    assert first.wait(LATE)

    # As a request does that comes late, when nobody waits for it any more.
    backend.sessions.reconcile(worker.report().session, [])
    until(lambda: worker.report().abandoned == 1)
    both = client.submit(quick, "next", 7).result(LATE), handle.result(LATE)
    release.set()
    until(lambda: worker.report().abandoned == 0)

    assert ((7, 1), [True]) == (both, told)
    assert "was given up and its result is discarded" in caplog.text
