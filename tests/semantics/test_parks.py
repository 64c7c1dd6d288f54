"""SEMANTICS 36 to 39: delays and signals, and who wins when both could."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from sayiir import (
    Flow,
    Operations,
    WorkflowError,
    pause_workflow,
    run_workflow,
    send_signal,
    unpause_workflow,
)
from tests.semantics.driving import resume_workflow, retry_workflow, run_durable_workflow

HOUR = timedelta(hours=1)


def inc(value):
    return value + 1


def idt(value):
    return value


def test_case_36_a_delay_passes_the_value_through(timed_store, iid):
    """The task after it receives what the one before gave."""
    workflow = Flow("f").then(inc).delay("nap", "1h").then(inc, name="after").build()
    backend, clock = timed_store.backend, timed_store.clock

    parked = run_durable_workflow(workflow, iid, 5, backend)
    clock.advance(HOUR)

    assert ("waiting", "nap") == (parked.status, parked.delay_id)
    assert 7 == resume_workflow(workflow, iid, backend).output


def test_case_36_a_delay_tells_when_it_ends_and_goes_on_not_earlier(timed_store, iid):
    """``wake_at`` is the start plus the length, and resuming before changes nothing."""
    workflow = Flow("f").delay("nap", HOUR).then(inc).build()
    backend, clock = timed_store.backend, timed_store.clock
    started = clock.now()

    parked = run_durable_workflow(workflow, iid, 5, backend)
    clock.advance(HOUR - timedelta(microseconds=1))
    early = resume_workflow(workflow, iid, backend)
    clock.advance(timedelta(microseconds=1))

    assert started + HOUR == parked.wake_at == early.wake_at
    assert "waiting" == early.status
    assert 6 == resume_workflow(workflow, iid, backend).output


def test_case_36_no_delay_does_not_park(drive):
    """0 s is over at once, also as the last node."""
    workflow = Flow("f").then(inc).delay("a", 0).then(inc, name="b").delay("c", "0s").build()

    assert 7 == drive(workflow, 5)


def test_case_36_a_delay_is_really_waited_for_in_process():
    """Without a store there is nowhere to park."""
    workflow = Flow("f").delay("nap", 0.15).then(inc).build()
    started = time.perf_counter()

    assert 6 == run_workflow(workflow, 5)
    assert 0.15 <= time.perf_counter() - started < 1.0


def test_case_36_delays_of_branches_pass_side_by_side_in_process():
    """Two delays of 0.3 s take the time of one."""
    one, two = (Flow("b").delay("nap", 0.3).then(inc).build() for _ in range(2))
    workflow = Flow("f").fork().branch(one, name="a").branch(two, name="b").join(idt).build()
    started = time.perf_counter()

    assert {"a": 6, "b": 6} == run_workflow(workflow, 5)
    assert 0.3 <= time.perf_counter() - started < 0.58


def test_case_36_a_delay_at_the_end_gives_the_output(timed_store, iid):
    """The last node may be a delay; its record is the value too."""
    workflow = Flow("f").then(inc).delay("nap", HOUR).build()
    backend = timed_store.backend

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    status = resume_workflow(workflow, iid, backend)

    assert ("completed", 6) == (status.status, status.output)
    assert 6 == Operations(backend).get_task_result(iid, "nap")
    assert 6 == Operations(backend).status(iid).output


def test_case_37_the_payload_replaces_the_value(backend, iid):
    """What was before the wait is gone, what was sent goes on."""
    workflow = Flow("f").then(inc).wait_for_signal("go").then(inc, name="after").build()

    parked = run_durable_workflow(workflow, iid, 5, backend)
    send_signal(iid, "go", 41, backend)
    status = resume_workflow(workflow, iid, backend)

    assert ("awaiting_signal", "go") == (parked.status, parked.signal_name)
    assert 42 == status.output


@pytest.mark.parametrize("payload", [None, {"a": [1, (2,)]}, "x" * 200_000, 2**70], ids=type)
def test_case_37_any_value_can_be_a_payload(backend, iid, payload):
    """A signal carries what a task could return."""
    workflow = Flow("f").wait_for_signal("go").then(lambda x: [x]).build()

    run_durable_workflow(workflow, iid, 5, backend)
    send_signal(iid, "go", payload, backend)

    expected = {"a": [1, [2]]} if isinstance(payload, dict) else payload
    assert [expected] == resume_workflow(workflow, iid, backend).output


def test_case_37_a_payload_that_is_no_json_is_refused(backend, iid):
    """The sender is told, and nothing is sent."""
    with pytest.raises(TypeError, match=r"object"):
        send_signal(iid, "go", object(), backend)

    assert [] == backend.signals.pending(iid)


def test_case_37_signals_are_first_in_first_out_per_name(backend, iid):
    """Two names do not mix, and order is kept."""
    workflow = (
        Flow("f")
        .wait_for_signal("a", name="a1")
        .then(idt, name="t1")
        .wait_for_signal("b")
        .then(idt, name="t2")
        .wait_for_signal("a", name="a2")
        .then(idt, name="t3")
        .build()
    )
    for name, payload in (("a", 1), ("a", 2), ("b", 3), ("a", 4)):
        send_signal(iid, name, payload, backend)

    run_durable_workflow(workflow, iid, None, backend)

    operations = Operations(backend)
    assert [1, 3, 2] == [operations.get_task_result(iid, path) for path in ("t1", "t2", "t3")]
    assert ["a"] == [signal.name for signal in backend.signals.pending(iid)]


def test_case_37_a_signal_may_be_sent_before_the_instance_exists(store, iid):
    """It waits in the inbox, also for an instance that another process starts."""
    workflow = Flow("f").wait_for_signal("go").then(inc).build()

    send_signal(iid, "go", 41, store.backend)

    assert 42 == run_durable_workflow(workflow, iid, 5, store.again()).output


def test_case_37_a_signal_at_the_end_gives_the_output(backend, iid):
    """The last node may be a wait."""
    workflow = Flow("f").then(inc).wait_for_signal("go", name="gate").build()

    run_durable_workflow(workflow, iid, 5, backend)
    send_signal(iid, "go", {"ok": True}, backend)
    # Sending runs no code, so somebody still has to complete it.
    assert "in_progress" == Operations(backend).status(iid).status
    status = resume_workflow(workflow, iid, backend)

    assert ("completed", {"ok": True}) == (status.status, status.output)
    assert {"ok": True} == Operations(backend).get_task_result(iid, "gate")


def test_case_37_signals_of_two_instances_do_not_mix(backend, iid):
    """Each id has an inbox of its own."""
    workflow = Flow("f").wait_for_signal("go").build()
    other = f"{iid}-other"
    for name in (iid, other):
        run_durable_workflow(workflow, name, 5, backend)

    send_signal(other, "go", 1, backend)

    assert "awaiting_signal" == resume_workflow(workflow, iid, backend).status
    assert 1 == resume_workflow(workflow, other, backend).output


def with_deadline(**options):
    return Flow("f").wait_for_signal("go", name="gate", timeout="1h", **options).then(idt).build()


def test_case_38_a_missed_deadline_fails_with_a_timeout_error(timed_store, iid):
    """The error names the signal; nothing after the wait is called."""
    backend, workflow = timed_store.backend, with_deadline()

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    status = resume_workflow(workflow, iid, backend)

    assert "failed" == status.status
    assert status.error.startswith("SignalTimeoutError")
    assert "'go'" in status.error
    assert "timed_out" == Operations(backend).task(iid, "gate").state


@pytest.mark.parametrize("value", [None, {"approved": False}, 7, "no"], ids=repr)
def test_case_38_a_missed_deadline_may_go_on_with_a_declared_value(timed_store, iid, value):
    """``on_timeout=`` is what the next task receives; None counts as a value."""
    backend, workflow = timed_store.backend, with_deadline(on_timeout=value)

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    status = resume_workflow(workflow, iid, backend)

    assert ("completed", value) == (status.status, status.output)
    assert value == Operations(backend).get_task_result(iid, "gate")


def test_case_38_before_the_deadline_resuming_waits_on(timed_store, iid):
    """The status is that of the wait."""
    backend, workflow = timed_store.backend, with_deadline()

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR - timedelta(microseconds=1))

    assert "awaiting_signal" == resume_workflow(workflow, iid, backend).status


def test_case_38_a_signal_before_the_deadline_wins_also_when_it_is_used_later(timed_store, iid):
    """What counts is when the store received it."""
    backend, workflow = timed_store.backend, with_deadline()

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR - timedelta(microseconds=1))
    send_signal(iid, "go", "in time", backend)
    timed_store.clock.advance(HOUR)

    assert "in time" == resume_workflow(workflow, iid, backend).output


def test_case_38_a_signal_at_the_deadline_is_too_late(timed_store, iid):
    """The deadline wins although nobody had looked at it, and the signal stays in the inbox."""
    backend, workflow = timed_store.backend, with_deadline(on_timeout="default")

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    send_signal(iid, "go", "late", backend)

    assert "default" == resume_workflow(workflow, iid, backend).output
    assert ["go"] == [signal.name for signal in backend.signals.pending(iid)]


def test_case_38_the_decision_is_recorded_and_never_taken_again(timed_store, iid):
    """After a timeout that went on, a later signal changes nothing."""
    backend = timed_store.backend
    workflow = (
        Flow("f")
        .wait_for_signal("go", name="gate", timeout="1h", on_timeout="default")
        .then(idt)
        .delay("nap", HOUR)
        .build()
    )

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    resume_workflow(workflow, iid, backend)
    send_signal(iid, "go", "late", backend)
    timed_store.clock.advance(HOUR)

    assert "default" == resume_workflow(workflow, iid, backend).output


def test_case_38_a_retry_waits_again(timed_store, iid):
    """A failed deadline can be revived with a fresh one."""
    backend, workflow = timed_store.backend, with_deadline()
    operations = Operations(backend)

    run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    resume_workflow(workflow, iid, backend)
    again = retry_workflow(workflow, iid, backend)
    send_signal(iid, "go", "second chance", backend)

    assert "awaiting_signal" == again.status
    assert "second chance" == resume_workflow(workflow, iid, backend).output
    assert "succeeded" == operations.task(iid, "gate").state


def test_case_39_the_status_speaks_of_nodes_by_the_users_names(timed_store, iid):
    """``delay_id`` and ``signal_id`` are the names given in the flow."""
    backend = timed_store.backend
    workflow = Flow("f").delay("cool down", HOUR).wait_for_signal("go", name="approval").build()

    waiting = run_durable_workflow(workflow, iid, 5, backend)
    timed_store.clock.advance(HOUR)
    awaiting = resume_workflow(workflow, iid, backend)

    assert ("cool down", None) == (waiting.delay_id, waiting.signal_id)
    assert (None, "approval", "go") == (
        awaiting.delay_id,
        awaiting.signal_id,
        awaiting.signal_name,
    )


def test_case_39_another_process_sees_the_same_names(store, iid):
    """The names come from the store, not from the flow at hand."""
    workflow = Flow("f").wait_for_signal("go", name="approval").build()
    run_durable_workflow(workflow, iid, 5, store.backend)

    status = Operations(store.again()).status(iid)

    assert ("awaiting_signal", "approval", "go") == (
        status.status,
        status.signal_id,
        status.signal_name,
    )


def test_case_39_a_signal_cannot_reach_a_run_without_a_store():
    """The error names the signal and says what to use, before anything is called."""
    calls = []
    workflow = Flow("f").then(calls.append).wait_for_signal("go").build()

    with pytest.raises(WorkflowError, match=r"'go'.*run_durable_workflow"):
        run_workflow(workflow, 5)

    assert [] == calls


def test_decision_a_pause_does_not_stop_a_delay(timed_store, iid):
    """At unpause a delay that is due goes on at once."""
    backend = timed_store.backend
    workflow = Flow("f").delay("nap", HOUR).then(inc).build()

    run_durable_workflow(workflow, iid, 5, backend)
    pause_workflow(iid, backend)
    timed_store.clock.advance(HOUR)
    held = resume_workflow(workflow, iid, backend)
    unpause_workflow(iid, backend)

    assert "paused" == held.status
    assert 6 == resume_workflow(workflow, iid, backend).output


def test_decision_a_pause_does_not_stop_a_deadline(timed_store, iid):
    """A deadline that passes during the pause counts at unpause."""
    backend, workflow = timed_store.backend, with_deadline()

    run_durable_workflow(workflow, iid, 5, backend)
    pause_workflow(iid, backend)
    timed_store.clock.advance(HOUR)
    unpause_workflow(iid, backend)

    assert "failed" == resume_workflow(workflow, iid, backend).status


def test_decision_a_signal_received_before_the_deadline_wins_during_a_pause(timed_store, iid):
    """It was in time, whenever the pause ends."""
    backend, workflow = timed_store.backend, with_deadline()

    run_durable_workflow(workflow, iid, 5, backend)
    pause_workflow(iid, backend)
    send_signal(iid, "go", "in time", backend)
    timed_store.clock.advance(2 * HOUR)
    unpause_workflow(iid, backend)

    assert "in time" == resume_workflow(workflow, iid, backend).output
