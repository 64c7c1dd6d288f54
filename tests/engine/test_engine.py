"""The engine runs workflows as a worker does, on any store, and takes no real time for waiting."""

from __future__ import annotations

import sys
from datetime import timedelta
from time import monotonic, process_time
from typing import Any

import pytest

from sayiir import Flow, InMemoryBackend, LoopResult, RetryPolicy, WorkflowClient, task
from sayiir_core.errors import (
    BackendError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    NodeLookupError,
    TaskError,
    WorkflowError,
)
from sayiir_core.ports.backend import Backend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.crash import CrashingBackend, CrashPoint, Moment, SimulatedCrash, as_backend
from sayiir_pytest.engine import Engine, ok
from tests.engine.shop import ORDER, charge, order_flow, reserve, ship

every_store = pytest.mark.sayiir(backend=["memory", "sqlite", "postgres"])


@task
def inc(x: int) -> int:
    return x + 1


@task(retries=RetryPolicy(max_retries=2, initial_delay_secs=60))
def failing(x: int) -> int:
    raise ValueError(f"bad {x}")


@every_store
def test_an_instance_parks_waits_for_days_takes_a_signal_and_ends(sayiir_engine: Engine) -> None:
    """From the start to the output, step by step, on every store."""
    order = sayiir_engine.start(order_flow(), ORDER)

    assert ("waiting", "cool-down") == (order.status, order.parked_at)
    sayiir_engine.advance("3d")
    assert ("awaiting_signal", "approval") == (order.status, order.parked_at)
    order.assert_started(charge)
    order.assert_not_started(ship)
    order.signal("approval", {"by": "Grace", "notes": ["fast", "please"]})
    assert ("completed", "shipped, approved by Grace") == (order.status, order.output)
    order.assert_started("ship")
    order.assert_signalled("approval", {"notes": ["fast", "please"]})
    assert "charged 30 EUR" == order.tasks["charge"].output
    assert "charged 30 EUR, reserved lamp" == order.tasks["summarize"].output


@every_store
def test_run_skips_every_wait_and_lets_deadlines_pass(sayiir_engine: Engine) -> None:
    """A run goes to its end, here that of a signal that never comes."""
    began = sayiir_engine.clock.now()

    order = sayiir_engine.run(order_flow(), ORDER)

    assert "failed" == order.status
    assert order.error is not None
    assert order.error.startswith("SignalTimeoutError")
    assert timedelta(days=5) == sayiir_engine.clock.now() - began
    with pytest.raises(TaskError, match="SignalTimeoutError"):
        assert order.output


@every_store
def test_a_signal_without_a_deadline_stops_a_run_that_says_so(sayiir_engine: Engine) -> None:
    """Nothing but the signal can help, so time stands; the output tells what it waits for."""
    began = sayiir_engine.clock.now()
    flow = Flow[int, int]("asking").wait_for_signal("answer").then(inc).build()

    asking = sayiir_engine.run(flow, 1)

    assert ("awaiting_signal", "answer") == (asking.status, asking.parked_at)
    assert began == sayiir_engine.clock.now()
    with pytest.raises(WorkflowError, match=r"awaiting_signal: at answer: waits for signal"):
        assert asking.output
    asking.signal("answer", 41)
    assert 42 == asking.output


@every_store
def test_back_offs_are_counted_skipped_and_recorded(sayiir_engine: Engine) -> None:
    """Three attempts a minute and two minutes apart, in no real time."""
    began = sayiir_engine.clock.now()

    failed = sayiir_engine.run(Flow[int, int]("failing").then(failing).build(), 7)

    assert ("failed", "ValueError: bad 7") == (failed.status, failed.error)
    assert 3 == failed.tasks["failing"].attempts
    assert "ValueError: bad 7" == failed.tasks[failing].error
    assert timedelta(minutes=3) == sayiir_engine.clock.now() - began


def test_a_month_with_five_delays_and_two_deadlines_takes_no_time(
    sayiir_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """30 days of waiting, tested in less than 50 ms of work."""
    flow = Flow[int, int]("month").then(inc)
    for number in range(5):
        flow = flow.delay(f"pause-{number}", "4d").then(inc, name=f"step-{number}")
        if number in {1, 3}:
            flow = flow.wait_for_signal(f"news-{number}", timeout="5d", on_timeout=number)
    workflow = flow.build()
    began, cpu, wall = sayiir_engine.clock.now(), process_time(), monotonic()

    month = sayiir_engine.run(workflow, 0)

    cpu, wall = process_time() - cpu, monotonic() - wall
    assert ("completed", 4) == (month.status, month.output)
    assert timedelta(days=30) == sayiir_engine.clock.now() - began
    with capsys.disabled():
        sys.stderr.write(f"\n30 days: {cpu * 1000:.1f} ms of CPU, {wall * 1000:.1f} ms in all\n")
    assert cpu < 0.05


@every_store
def test_advance_lets_things_happen_at_their_own_times(sayiir_engine: Engine) -> None:
    """Two steps an hour apart are stamped an hour apart, and the clock ends where it was sent."""
    flow = Flow[int, int]("hourly").delay("a", "1h").then(inc).delay("b", "1h").then(inc, name="z")
    hourly = sayiir_engine.start(flow.build(), 0)
    began = sayiir_engine.clock.now()

    now = sayiir_engine.advance("150m")

    assert began + timedelta(minutes=150) == now
    times = {event.path: event.after for event in hourly.history if "succeeded" in event.text}
    assert {"inc": timedelta(hours=1), "z": timedelta(hours=2)} == times


@every_store
def test_pause_holds_unpause_goes_on_and_cancel_ends(sayiir_engine: Engine) -> None:
    """Requests from outside do what they do in production."""
    order = sayiir_engine.start(order_flow(), ORDER)

    order.pause("audit", by="Ada")
    sayiir_engine.advance("4d")
    assert ("paused", ["cool-down"]) == (order.status, order.parked)
    order.unpause()
    assert "approval" == order.parked_at
    order.cancel("changed my mind")
    assert "cancelled" == order.status
    assert ["paused by Ada: audit", "unpaused", "cancelled: changed my mind"] == [
        event.text for event in order.history if event.text.startswith(("paus", "unp", "canc"))
    ]


@every_store
def test_retry_revives_a_failed_instance_with_fresh_attempts(sayiir_engine: Engine) -> None:
    """What failed is called again, and what succeeded is not."""
    stub = sayiir_engine.stub(charge, raises=ValueError("no such card"))
    spy = sayiir_engine.spy(reserve)
    order = sayiir_engine.start(order_flow(), ORDER)
    assert ("failed", 4) == (order.status, stub.count)

    sayiir_engine.stub(charge, returns="paid")
    order.retry()

    assert "cool-down" == order.parked_at
    assert 1 == spy.count
    assert 5 == order.tasks["charge"].attempts


def test_of_two_failing_branches_the_history_names_the_one_that_counts(
    sayiir_engine: Engine,
) -> None:
    """That of the instance's error; after a retry a failure counts again."""
    sayiir_engine.stub(charge, raises=[*[OSError("no line")] * 4, ValueError("no card")])
    sayiir_engine.stub(reserve, raises=KeyError("no lamp"))

    order = sayiir_engine.run(order_flow(), ORDER)
    order.retry()

    ends = [event.text for event in order.history if event.text.startswith(("failed", "retried"))]
    assert ["failed: KeyError: 'no lamp'", "retried", "failed: KeyError: 'no lamp'"] == ends


def test_values_round_trip_as_in_production(sayiir_engine: Engine) -> None:
    """What a task receives is the decoded form of what was stored: a tuple arrives as a list."""
    received: list[Any] = []

    def give(_: Any) -> Any:
        return {"pair": (1, 2), 3: "three"}

    def take(value: Any) -> Any:
        received.append(value)
        value["pair"].append(3)
        return value

    flow = Flow[Any, Any]("values").then(give).then(take).build()

    run = sayiir_engine.run(flow, None)

    assert [{"pair": [1, 2, 3], "3": "three"}] == received
    assert {"pair": [1, 2], "3": "three"} == run.tasks["give"].output


def test_loops_routes_and_sub_flows_are_addressed_by_their_paths(sayiir_engine: Engine) -> None:
    """A turn is selected by its number, and an ambiguous name lists the candidates."""

    @task
    def halve(x: float) -> LoopResult[float]:
        return LoopResult.again(x / 2) if x > 2 else LoopResult.done(x)

    child = Flow[float, float]("child").then(inc).build()
    flow = (
        Flow[float, float]("paths")
        .loop(halve)
        .then_flow(child)
        .then(inc)
        .route(lambda _: "left", keys=["left"])
        .branch("left", inc)
        .done()
        .build()
    )

    run = sayiir_engine.run(flow, 8.0)

    assert 2 == run.tasks["halve"].turns[0]
    assert 4.0 == run.tasks["halve[0]"].output
    with pytest.raises(NodeLookupError, match="3 tasks of workflow 'paths' call inc; use one of"):
        assert run.tasks[inc]
    with pytest.raises(NodeLookupError, match="did you mean 'loop_0/halve'"):
        assert run.tasks["halv"]
    assert 5 == len(run.tasks)


def test_several_parks_are_listed_and_asking_for_the_one_is_an_error(
    sayiir_engine: Engine,
) -> None:
    """A fork may wait at many places."""
    left = Flow[int, int]("l").wait_for_signal("left").build()
    right = Flow[int, int]("r").delay("right", "1d").build()
    flow = Flow[int, int]("two").fork().branch(left, name="l").branch(right, name="r")
    both = sayiir_engine.start(flow.join(lambda found: found, name="join").build(), 1)

    assert ["fork_0/l/left", "fork_0/r/right"] == [
        path.replace("child_0/", "") for path in both.parked
    ]
    with pytest.raises(WorkflowError, match="parked at 2 places"):
        assert both.parked_at


def test_wrong_assertions_say_what_there_is(sayiir_engine: Engine) -> None:
    """Each failure tells where the instance is, or what it has received."""
    order = sayiir_engine.start(order_flow(), ORDER)

    with pytest.raises(AssertionError, match=r"'ship' .* never started; .* at cool-down: delayed"):
        order.assert_started(ship)
    with pytest.raises(AssertionError, match=r"(?s)'charge' .* was started:.*attempt 1 succeeded"):
        order.assert_not_started("charge")
    with pytest.raises(AssertionError, match=r"no signal approval .* received: none"):
        order.assert_signalled("approval")
    with pytest.raises(NodeLookupError, match="never waits for a signal 'aproval'"):
        order.signal("aproval")
    with pytest.raises(NodeLookupError, match="no task of workflow 'order' calls inc"):
        order.assert_started(inc)
    with pytest.raises(NodeLookupError, match="calls no function"):
        order.assert_started("approval")


def test_a_signal_that_nothing_awaits_yet_has_reached_its_instance(sayiir_engine: Engine) -> None:
    """It counts as received while it is buffered, too, and a partial match looks inside."""
    order = sayiir_engine.start(order_flow(), ORDER)

    order.signal("approval", {"by": "Ada", "cart": {"lamps": 2, "desks": 1}})

    order.assert_signalled("approval", {"cart": {"lamps": 2}})
    with pytest.raises(AssertionError, match="received: approval"):
        order.assert_signalled("approval", {"cart": {"lamps": 3}})
    sayiir_engine.advance("3d")
    assert "shipped, approved by Ada" == order.output
    order.assert_signalled("approval", {"by": "Ada"})


def test_instances_that_others_submit_are_served(
    sayiir_engine: Engine, sayiir_backend: Backend
) -> None:
    """Code under test submits by a client, and the engine is the worker."""
    WorkflowClient(sayiir_backend).submit(order_flow(), "order-17", ORDER)
    with pytest.raises(WorkflowError, match=r"call engine\.serve"):
        sayiir_engine.instance("order-17")

    sayiir_engine.serve(order_flow())
    sayiir_engine.run_until_parked()

    assert "cool-down" == sayiir_engine.instance("order-17").parked_at
    with pytest.raises(InstanceNotFoundError):
        sayiir_engine.instance("order-18")


def test_a_new_workflow_does_not_disturb_what_runs(sayiir_engine: Engine) -> None:
    """A stub that takes an hour goes on while others are added, and ends in its time."""
    slow = sayiir_engine.stub("slow", returns=1, takes="1h", workflow=None)

    @task
    def slow_task(x: int) -> int:
        raise AssertionError("stubbed")

    flow = Flow[int, int]("slow").then(slow_task, name="slow").build()
    sayiir_engine.serve(flow)
    running = sayiir_engine.client.submit(flow, "s", 0)
    sayiir_engine.advance("10m")
    assert 1 == slow.count

    order = sayiir_engine.run(Flow[int, int]("quick").then(inc).build(), 1)
    sayiir_engine.advance("1h")

    assert 2 == order.output
    assert 1 == sayiir_engine.instance(running.instance_id).output
    assert 1 == slow.count


def test_an_id_that_is_taken_is_refused_and_a_policy_decides(sayiir_engine: Engine) -> None:
    """Ids are given in order unless the test names one."""
    flow = Flow[int, int]("ids").then(inc).build()

    first, second = sayiir_engine.run(flow, 1), sayiir_engine.run(flow, 2)
    named = sayiir_engine.run(flow, 3, "mine")

    assert ["ids-1", "ids-2", "mine"] == [it.instance_id for it in (first, second, named)]
    with pytest.raises(InstanceAlreadyExistsError):
        sayiir_engine.run(flow, 4, "mine")
    assert 6 == sayiir_engine.run(flow, 5, "mine", conflict_policy="terminate_existing").output


def test_a_store_that_tells_another_time_is_refused(sayiir_clock: VirtualClock) -> None:
    """An engine whose jumps its store does not see would wait for ever."""
    with pytest.raises(ValueError, match="build the backend with clock=sayiir_clock"):
        Engine(InMemoryBackend(), sayiir_clock)


def test_an_engine_ends_with_its_test(sayiir_backend: Backend, sayiir_clock: VirtualClock) -> None:
    """Afterwards it refuses to run, holds nothing, and has no session."""
    with Engine(sayiir_backend, sayiir_clock) as engine:
        engine.start(order_flow(), ORDER)
        assert ["sayiir-engine"] == [it.worker_id for it in sayiir_backend.sessions.live()]

    assert [] == sayiir_backend.sessions.live()
    with pytest.raises(WorkflowError, match="the engine is closed"):
        engine.run_until_parked()


def test_what_a_store_raises_reaches_the_test(sayiir_clock: VirtualClock) -> None:
    """A store that breaks is not waited for, as a worker would, also if that might help."""
    store = InMemoryBackend(clock=sayiir_clock)
    broken = CrashingBackend(store, CrashPoint(call=3, moment=Moment.BEFORE))
    engine = Engine(as_backend(broken), sayiir_clock)

    with pytest.raises(SimulatedCrash):
        engine.run(Flow[int, int]("broken").then(inc).build(), 1)


class FlakyCheckpoints:
    """A checkpoint port that loses its first answer, after the store has done the commit."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._has_failed = False

    def commit(self, batch: Any) -> Any:
        """Commit as the store does."""
        answers = self._port.commit(batch)
        if not self._has_failed:
            self._has_failed = True
            raise BackendError("the answer was lost", transient=True)
        return answers


def test_a_test_may_go_on_after_an_error_of_the_store(sayiir_clock: VirtualClock) -> None:
    """The batch is sent again as it was, so nothing runs twice and nothing is lost."""
    store = InMemoryBackend(clock=sayiir_clock)
    store.checkpoints = FlakyCheckpoints(store.checkpoints)  # type: ignore[assignment]
    flow = Flow[int, int]("flaky").then(inc).then(inc, name="again").build()
    with Engine(store, sayiir_clock) as engine:
        spy = engine.spy(inc)
        with pytest.raises(BackendError, match="the answer was lost"):
            engine.run(flow, 1, "f")

        engine.run_until_parked()

        assert 3 == engine.instance("f").output
        assert ["inc", "again"] == [call.path for call in spy.calls]


def test_a_test_can_fail_from_inside_a_task(sayiir_engine: Engine) -> None:
    """``pytest.fail`` is meant for the test, and not for the retry policy."""

    def forbid(_: Any) -> str:
        pytest.fail("must not be called")

    sayiir_engine.stub(charge, forbid)

    with pytest.raises(pytest.fail.Exception, match="must not be called"):
        sayiir_engine.run(order_flow(), ORDER)


def test_the_history_has_one_line_per_event(sayiir_engine: Engine) -> None:
    """With the time since the start, the place, and what happened."""
    sayiir_engine.stub(charge, raises=[ConnectionError("down"), ok("paid", takes="2s")])

    order = sayiir_engine.start(order_flow(), ORDER)
    sayiir_engine.advance("3d")
    order.signal("approval", {"by": "Ada"})

    assert """\
+00:00:00.000  started with {'item': 'lamp', 'amount': 30}
+00:00:00.000  summarize: forks into 2 branches
+00:00:00.000  fork_0/charge/charge: attempt 1 failed: ConnectionError: down
+00:00:00.000  fork_0/charge/charge: again in 1 s
+00:00:00.000  fork_0/reserve/reserve: attempt 1 succeeded: 'reserved lamp'
+00:00:03.000  fork_0/charge/charge: attempt 2 succeeded: 'paid'
+00:00:03.000  summarize: attempt 1 succeeded: 'paid, reserved lamp'
+00:00:03.000  cool-down: delayed for 3 d
+3d 00:00:03.000  cool-down: the delay is over
+3d 00:00:03.000  approval: waits for signal 'approval', for 2 d at most
+3d 00:00:03.000  signal 'approval' arrived: {'by': 'Ada'}
+3d 00:00:03.000  approval: took signal 'approval'
+3d 00:00:03.000  ship: attempt 1 succeeded: 'shipped, approved by Ada'
+3d 00:00:03.000  completed""" == str(order.history)
