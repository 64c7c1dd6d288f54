"""No call spins on, rips away or forgets an ownership, whatever meets what."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.errors import BackendError, InstanceAlreadyExistsError, InstanceBusyError
from sayiir_core.ids import InstanceId
from sayiir_core.policy import RetryPolicy
from sayiir_core.snapshot.answer import REPLAYED
from sayiir_pytest.process import World
from sayiir_runtime.api import (
    resume_workflow,
    retry_workflow,
    run_durable_workflow,
    send_signal,
)
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.operations import Operations
from sayiir_runtime.runner.lease import keeper_of

PATIENCE = 10.0


def inc(value: int) -> int:
    return value + 1


def chain() -> Any:
    return Flow("chain").then(inc, name="a").then(inc, name="b").build()


def gate() -> Any:
    return Flow("gate").wait_for_signal("go").then(inc).build()


def fail_while(down: list[bool]) -> Any:
    def around(call: Any) -> Any:
        if down[0]:
            raise BackendError("the store is down")
        return call()

    return around


def test_a_resume_takes_back_what_a_call_cut_off_from_the_store_has_left(
    disturbed: Any, in_thread: Any
) -> None:
    """It once polled for ever for a cursor that its own session still held."""
    down = [True]
    disturbed.around["checkpoints.commit"] = fail_while(down)
    disturbed.around["ownership.disown"] = fail_while(down)
    with pytest.raises(BackendError):
        run_durable_workflow(chain(), "i", 0, disturbed)

    down[0] = False
    status = in_thread(lambda: resume_workflow(chain(), "i", disturbed)).result()

    assert ("completed", 2) == (status.status, status.output)


def test_a_create_whose_answer_was_lost_can_be_resumed(disturbed: Any, in_thread: Any) -> None:
    """The first cursor is born held by the session, and no call knew of it."""

    def lose(call: Any) -> Any:
        call()
        raise BackendError("the answer is lost")

    disturbed.around["instances.create"] = lose
    with pytest.raises(BackendError):
        run_durable_workflow(chain(), "i", 0, disturbed)

    status = in_thread(lambda: resume_workflow(chain(), "i", disturbed)).result()

    assert "completed" == status.status


def test_a_late_disown_does_not_rip_an_instance_from_a_call_that_drives_it(
    disturbed: Any,
) -> None:
    """The heartbeat gave back what another call had meanwhile resumed, under its hands."""
    down, calls = [True], []
    keeper = keeper_of(disturbed)

    def body(value: int) -> int:
        calls.append(value)
        if not down[0]:
            keeper._tidy(disturbed, keeper.session())
        return value

    workflow = Flow("w").then(body).build()
    disturbed.around["checkpoints.commit"] = fail_while(down)
    disturbed.around["ownership.disown"] = fail_while(down)
    with pytest.raises(BackendError):
        run_durable_workflow(workflow, "i", 0, disturbed)
    down[0] = False

    status = resume_workflow(workflow, "i", disturbed)

    assert "completed" == status.status
    assert [0, 0] == calls


def test_a_resume_waits_until_an_earlier_call_was_given_back(
    disturbed: Any, in_thread: Any
) -> None:
    """Granted before the late disown is through, it would lose its run to it."""
    down, order, resumed = [True], [], []
    keeper = keeper_of(disturbed)

    def disown(call: Any) -> Any:
        if down[0]:
            raise BackendError("the store is down")
        if not resumed:
            resumed.append(in_thread(lambda: resume_workflow(chain(), "i", disturbed)))
            owned.wait(0.2)
        call()
        order.append("disown")

    def own(call: Any) -> Any:
        order.append("own")
        owned.set()
        return call()

    owned = threading.Event()
    disturbed.around["checkpoints.commit"] = fail_while(down)
    disturbed.around["ownership.disown"] = disown
    with pytest.raises(BackendError):
        run_durable_workflow(chain(), "i", 0, disturbed)
    down[0] = False
    disturbed.around["ownership.own"] = own

    keeper._tidy(disturbed, keeper.session())

    assert "completed" == resumed[0].result().status
    assert ["disown", "own"] == order


def test_what_a_lost_answer_may_have_granted_is_given_back(disturbed: Any) -> None:
    """Until its process ended, no other one could run the instance, and none did."""

    def lose(call: Any) -> Any:
        call()
        raise BackendError("the answer is lost")

    disturbed.around["instances.create"] = lose
    with pytest.raises(BackendError):
        run_durable_workflow(chain(), "i", 0, disturbed)
    keeper = keeper_of(disturbed)

    keeper._tidy(disturbed, keeper.session())

    head = disturbed.plain.instances.load(InstanceId("i"))
    assert (None, False) == (head.header.owner, head.executing)


def test_a_drive_ends_when_its_instance_was_taken_away(in_thread: Any) -> None:
    """It once loaded the head as fast as it could until the new owner was done."""
    world = World(lambda clock: InMemoryBackend(clock=clock))
    loser, winner = world.process(), world.process()

    @task(retries=RetryPolicy(1, 60.0))
    def fail(value: int) -> int:
        raise ValueError("bad")

    def take_away(call: int) -> None:
        if loser.backend.trace[-1] == "ownership.claim_owned":
            world.store.sessions.end(loser.session)
            world.store.ownership.own(winner.session, InstanceId("i"))

    loser.backend.before_call = take_away

    status = in_thread(lambda: loser.runner.run(Flow("w").then(fail).build(), "i", 0)).result()

    assert "in_progress" == status.status
    assert winner.session == world.head("i").header.owner


def test_a_signal_that_comes_while_a_drive_ends_is_not_left_to_nobody(disturbed: Any) -> None:
    """Its sender's resume was told that the instance is busy, and then nobody drove it."""
    told: list[type[Exception]] = []

    def send_first(call: Any) -> Any:
        if not told:
            send_signal("i", "go", 1, disturbed)
            with pytest.raises(InstanceBusyError) as busy:
                another.runner.resume(gate(), "i", wait=0)
            told.append(busy.type)
        return call()

    world = World(lambda _: disturbed)
    another = world.process()
    disturbed.around["ownership.disown"] = send_first

    status = run_durable_workflow(gate(), "i", 0, disturbed)

    assert ("completed", 2) == (status.status, status.output)


def test_a_call_that_enters_late_does_not_keep_the_ownership_of_one_that_leaves(
    disturbed: Any, in_thread: Any
) -> None:
    """The leaving call once relied on one that found the instance existing to disown it."""
    at_create, go_on = threading.Event(), threading.Event()
    second: list[Any] = []

    def create(call: Any) -> Any:
        if second:
            at_create.set()
            assert go_on.wait(PATIENCE)
        return call()

    def body(value: int) -> int:
        second.append(None)
        second.append(in_thread(lambda: run_durable_workflow(workflow, "i", 0, disturbed)))
        assert at_create.wait(PATIENCE)
        return value

    workflow = Flow("w").then(body).wait_for_signal("go").build()
    disturbed.around["instances.create"] = create

    run_durable_workflow(workflow, "i", 0, disturbed)
    go_on.set()

    with pytest.raises(InstanceAlreadyExistsError):
        second[1].result()
    assert disturbed.instances.load(InstanceId("i")).header.owner is None


def test_a_replaced_run_gives_back_nothing_of_the_run_that_replaced_it(
    disturbed: Any, in_thread: Any
) -> None:
    """Reconciling went by instance, and once took the new run's body from under its driver."""
    commits, calls, later = [0], [], []
    inside, reconciled = threading.Event(), threading.Event()

    def body(value: int) -> int:
        calls.append(value)
        if value == 2:
            inside.set()
            assert reconciled.wait(PATIENCE)
        return value

    def commit(call: Any) -> Any:
        answers = call()
        commits[0] += 1
        return [REPLAYED] if commits[0] == 1 else answers

    def reconcile(call: Any) -> Any:
        if not later:
            later.append(
                in_thread(
                    lambda: run_durable_workflow(workflow, "i", 2, disturbed, "terminate_existing")
                )
            )
            inside.wait(0.3)
        call()
        reconciled.set()

    workflow = Flow("w").then(lambda v: v, name="first").then(body).build()
    disturbed.around["checkpoints.commit"] = commit
    disturbed.around["sessions.reconcile"] = reconcile

    in_thread(lambda: run_durable_workflow(workflow, "i", 1, disturbed))
    assert reconciled.wait(PATIENCE)
    status = later[0].result()

    assert ("completed", 2) == (status.status, status.output)
    assert 1 == calls.count(2)


def test_a_retry_is_not_refused_because_of_a_dead_process() -> None:
    """A sibling's body was running when the process died; nobody ended its session."""
    world = World(lambda clock: InMemoryBackend(clock=clock))
    died = world.process()
    broken = [True]

    def fail(value: int) -> int:
        if broken[0]:
            raise ValueError("bad")
        return value

    workflow = Flow("w").fork().branch(fail, name="x").branch(inc).join(lambda v: v).build()
    died.runner.run(workflow, "i", 0)
    stored = world.store._store.runs[InstanceId("i")]  # type: ignore[attr-defined]
    waiting = next(t for t in stored.tickets.values() if t.cursor.held or t.cursor.session is None)
    waiting.cursor.session = died.session
    world.store._store.refresh(waiting)  # type: ignore[attr-defined]
    seen = Operations(world.store).status("i").status
    broken[0] = False
    rescuer = world.process()
    assert rescuer.session
    for _ in range(3):
        world.clock.advance(20)
        world.store.sessions.renew(rescuer.session)

    status = rescuer.runner.retry(workflow, "i")

    assert ("in_progress", "completed") == (seen, status.status)


def test_a_retry_waits_for_the_call_that_has_just_failed(disturbed: Any, in_thread: Any) -> None:
    """Its failure is to be seen before it has given the instance back."""
    broken, retried = [True], []

    def fail(value: int) -> int:
        if broken[0]:
            raise ValueError("bad")
        return value

    def retry_first(call: Any) -> Any:
        if not retried:
            broken[0] = False
            retried.append(in_thread(lambda: retry_workflow(workflow, "i", disturbed)))
        return call()

    workflow = Flow("w").then(fail).build()
    disturbed.around["ownership.disown"] = retry_first

    run_durable_workflow(workflow, "i", 0, disturbed)

    assert "completed" == retried[0].result().status
