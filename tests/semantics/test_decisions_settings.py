"""Decisions about stores, settings and reading results."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from sayiir import (
    BackendError,
    CheckpointingRunner,
    Flow,
    InstanceNotFoundError,
    LoopResult,
    Operations,
    RetryPolicy,
    run_workflow,
    send_signal,
    task,
)
from sayiir_core.ports.instances import InstanceQuery
from tests.semantics.driving import resume_workflow, retry_workflow, run_durable_workflow

HOUR = timedelta(hours=1)


def idt(value):
    return value


def inc(value):
    return value + 1


# Stores and settings.


def test_decision_without_a_backend_each_call_has_a_store_of_its_own(iid):
    """The same id may be run twice, and nothing is left."""
    workflow = Flow("f").then(inc).build()

    outputs = [run_durable_workflow(workflow, iid, number).output for number in (1, 5)]

    assert [2, 6] == outputs


def test_decision_library_calls_never_read_the_environment(monkeypatch, iid):
    """``SAYIIR_DATABASE_URL`` is for command line tools and workers."""
    monkeypatch.setenv("SAYIIR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    assert 2 == run_durable_workflow(Flow("f").then(inc).build(), iid, 1).output
    assert 2 == run_workflow(Flow("f").then(inc).build(), 1)


def test_decision_labels_are_for_searching(backend, iid):
    """Instances are found by their labels."""
    workflow = Flow(f"labelled-{iid}").then(inc).build()
    runner = CheckpointingRunner(backend)
    for name, labels in (
        ("a", {"team": "x", "kind": "1"}),
        ("b", {"team": "x", "kind": "2"}),
        ("c", {}),
    ):
        runner.run(workflow, f"{iid}-{name}", 1, labels=labels)

    def found(**labels):
        query = InstanceQuery(id_prefix=iid, labels=labels)
        return [h.instance_id[-1] for h in backend.instances.select(query).headers]

    assert ["b", "a"] == found(team="x")
    assert ["b"] == found(team="x", kind="2")
    assert [] == found(team="y")


def test_decision_loop_caps_are_judged_by_the_code_that_runs(backend, iid):
    """After a retry under a higher cap the loop goes on; recorded turns are not run again."""
    calls = []

    def turn(value):
        calls.append(value)
        return LoopResult.done(value) if value == 3 else LoopResult.again(value + 1)

    low = Flow("f").loop(turn, max_iterations=2).build()
    high = Flow("f").loop(turn, max_iterations=9).build()

    failed = run_durable_workflow(low, iid, 0, backend)
    again = retry_workflow(low, iid, backend)
    mended = retry_workflow(high, iid, backend)

    assert ("failed", "failed") == (failed.status, again.status)
    assert ("completed", 3) == (mended.status, mended.output)
    assert [0, 1, 2, 3] == calls


def test_decision_a_parked_wake_time_keeps_the_value_that_it_was_given(timed_store, iid):
    """A delay that was tuned meanwhile ends when it was to end at first."""
    backend = timed_store.backend
    short, long = (Flow("f").delay("nap", hours * HOUR).then(inc).build() for hours in (1, 5))

    run_durable_workflow(short, iid, 1, backend)
    timed_store.clock.advance(HOUR)

    assert 2 == resume_workflow(long, iid, backend).output


def limited(store, size):
    """Open the store with a limit for payloads."""
    where = store.backend.path if store.kind == "sqlite" else store.address
    return type(store.backend)(where, max_payload_bytes=size)


@pytest.fixture(params=["sqlite", "postgres", "sqlite_pool", "postgres_pool"])
def small_backend(request, make_store):
    store = make_store(request.param)
    backend = limited(store, 1000)
    store.opened.append(backend)
    return backend


def test_decision_an_input_or_signal_over_the_limit_is_refused(small_backend, iid):
    """The error names the limit, and nothing is stored."""
    workflow = Flow("f").then(idt).build()

    with pytest.raises(BackendError, match=r"max_payload_bytes=1,?000"):
        run_durable_workflow(workflow, iid, "x" * 2000, small_backend)
    with pytest.raises(BackendError, match=r"max_payload_bytes=1,?000"):
        send_signal(iid, "go", "x" * 2000, small_backend)

    assert [] == small_backend.signals.pending(iid)
    assert 1 == run_durable_workflow(workflow, iid, 1, small_backend).output


def test_decision_an_output_over_the_limit_fails_alone(small_backend, iid):
    """The step fails, since it would fail again; its neighbours go on."""
    workflow = Flow("f").then(lambda: "x" * 2000, name="big").build()

    status = run_durable_workflow(workflow, iid, 1, small_backend)

    assert ("failed", "big") == (status.status, status.failed_task)
    assert re.search(r"max_payload_bytes=1,?000", status.error)
    assert iid in status.error
    other = run_durable_workflow(Flow("g").then(inc).build(), f"{iid}-b", 1, small_backend)
    assert 2 == other.output


# Reading results.


def test_decision_a_result_that_is_absent_is_none_and_task_gives_the_state(backend, iid):
    """``get_task_result`` cannot tell None from nothing; ``task`` can."""
    workflow = Flow("f").then(lambda: None, name="a").wait_for_signal("go").then(inc).build()
    run_durable_workflow(workflow, iid, 1, backend)
    operations = Operations(backend)

    values = [operations.get_task_result(iid, name) for name in ("a", "inc")]
    found = [operations.task(iid, name) for name in ("a", "inc")]

    assert [None, None] == values
    assert [("succeeded", 1), ("absent", 0)] == [(each.state, each.attempts) for each in found]


def test_decision_history_lists_every_attempt_in_order(backend, iid):
    """Records come by page, oldest first."""
    calls = []

    @task(retries=RetryPolicy(2, 0.001))
    def flaky(value):
        calls.append(value)
        if len(calls) < 3:
            raise ValueError("again")
        return value

    run_durable_workflow(Flow("f").then(idt).then(flaky).then(inc).build(), iid, 1, backend)
    operations, rows, after = Operations(backend), [], None
    while True:
        page = operations.history(iid, after=after, limit=2)
        assert len(page.rows) <= 2
        rows += page.rows
        after = page.next
        if after is None:
            break

    seen = [(row.record.node, row.record.attempt, row.record.status.value) for row in rows]
    assert [
        (0, 1, "succeeded"),
        (1, 1, "failed"),
        (1, 2, "failed"),
        (1, 3, "succeeded"),
        (2, 1, "succeeded"),
    ] == seen


# Signals to what is over, and what removes them.


def test_decision_pruning_takes_final_instances_with_all_that_is_theirs(timed_store, iid):
    """Records, consumed and pending signals go; what lives stays."""
    backend = timed_store.backend
    workflow = Flow("f").wait_for_signal("go").then(idt).build()
    live = f"{iid}-live"
    for name in (iid, live):
        run_durable_workflow(workflow, name, 1, backend)
    send_signal(iid, "go", 1, backend)
    resume_workflow(workflow, iid, backend)
    send_signal(iid, "go", "kept for nobody", backend)
    timed_store.clock.advance(HOUR)

    early = backend.instances.prune(finished_before=timed_store.clock.now() - 2 * HOUR, limit=10)
    pruned = backend.instances.prune(finished_before=timed_store.clock.now(), limit=10)

    assert (0, 1) == (early, pruned)
    with pytest.raises(InstanceNotFoundError):
        Operations(backend).status(iid)
    assert [] == backend.signals.pending(iid)
    assert "awaiting_signal" == Operations(backend).status(live).status
    assert "awaiting_signal" == run_durable_workflow(workflow, iid, 1, backend).status
