"""Every driver tells the same story of the same run, and only of what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.ports.telemetry import (
    ALL_EVENTS,
    BatchCommitted,
    Event,
    NodeClaimed,
    NodeParked,
    NodeWoken,
    RunCreated,
    RunEnded,
    RunPlace,
    RunRequested,
    SignalSent,
    StepRecorded,
    TaskCall,
    TaskStarted,
    WriteRefused,
)
from sayiir_core.snapshot.answer import Lost, LostReason
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.telemetry import ObservedBackend, observed
from sayiir_runtime.worker import PooledWorker

PATIENCE = "20s"


class Collecting:
    """A sink that keeps what it takes."""

    kinds = ALL_EVENTS

    def __init__(self) -> None:
        self.events: list[Event] = []

    def receive(self, events: Sequence[Event]) -> None:
        """Keep a batch."""
        self.events.extend(events)

    def close(self) -> None:
        """Do nothing."""


class Tracing:
    """A tracer that notes what is open, and gives every caller the trace ``here``."""

    def __init__(self) -> None:
        self.submits: list[list[str]] = []
        self.rests: list[str] = []
        self.calls: list[TaskCall] = []
        self.ends: list[tuple[str, str | None]] = []

    def submit(self, runs: Sequence[RunPlace]) -> tuple[str, str | None]:
        """Return a trace."""
        self.submits.append([run.instance_id for run in runs])
        return "submit", "here"

    def enter(self, call: TaskCall) -> str:
        """Note a call."""
        self.calls.append(call)
        return call.node.path

    def leave(self, token: str, error: BaseException | None) -> None:
        """Note its end."""
        if token == "submit":
            assert error is None
            return
        self.ends.append((token, None if error is None else str(error)))

    def rest(self, run: RunPlace) -> None:
        """Note where a run was left."""
        self.rests.append(run.instance_id)


class Scene:
    """An observed store, a workflow with everything, and what was told."""

    def __init__(self) -> None:
        self.sink = Collecting()
        self.tracer = Tracing()
        self.store: ObservedBackend = observed(InMemoryBackend(), self.sink, tracer=self.tracer)
        self.attempts = 0

        @task(retries=2)
        def flaky(value: int) -> int:
            self.attempts += 1
            if self.attempts < 2:
                raise ValueError("not yet")
            return value

        async def later(value: int) -> int:
            return value

        self.flow = (
            Flow[int, int]("story")
            .fork()
            .branch(flaky)
            .branch(later)
            .join(lambda parts: parts["later"], name="join")
            .delay("nap", 0.01)
            .wait_for_signal("go")
            .then(lambda value: value + 1, name="last")
            .build()
        )

    def told(self, *kinds: type) -> list[Event]:
        """Return what was told, of some kinds."""
        assert self.store.outlet.flush(20)
        return [it for it in self.sink.events if not kinds or isinstance(it, kinds)]

    def story(self) -> list[str]:
        """Return the steps and parks, as one would tell them."""
        lines: list[str] = []
        for event in self.told(StepRecorded, NodeParked, RunEnded, RunCreated):
            match event:
                case StepRecorded():
                    lines.append(f"{event.node.path} {event.status.value} {event.attempt}")
                case NodeParked():
                    lines.append(f"{event.node.path} parked")
                case RunEnded():
                    lines.append(event.state.value)
                case _:
                    lines.append("created")
        return lines


@pytest.fixture
def scene() -> Scene:
    """Set the scene."""
    return Scene()


def run_with_runner(scene: Scene) -> None:
    """Run in the caller's process, resumed once the signal is there."""
    runner = CheckpointingRunner(scene.store)
    client = WorkflowClient(scene.store)
    runner.run(scene.flow, "one", 1)
    client.send_signal("one", "go", 5)
    while not runner.resume(scene.flow, "one").is_completed():
        pass


def run_with_worker(scene: Scene) -> None:
    """Run in a pool."""
    with PooledWorker("w", scene.store).start([scene.flow]):
        handle = WorkflowClient(scene.store).submit(scene.flow, "one", 1)
        handle.send_signal("go", 5)
        assert handle.result(PATIENCE) == 6


DRIVERS = pytest.mark.parametrize("drive", [run_with_runner, run_with_worker])


@DRIVERS
def test_every_driver_tells_the_same_steps(scene: Scene, drive: Any) -> None:
    drive(scene)

    story = scene.story()
    assert ["created", "completed"] == [story[0], story[-1]]
    assert sorted(story[1:-1]) == sorted(
        [
            "fork_0/flaky/flaky failed 1",
            "fork_0/flaky/flaky succeeded 2",
            "fork_0/later/later succeeded 1",
            "join succeeded 1",
            "nap parked",
            "nap succeeded 1",
            "go parked",
            "go succeeded 1",
            "last succeeded 1",
        ]
    )


@DRIVERS
def test_every_body_has_a_start_and_a_span_in_the_trace_of_the_run(
    scene: Scene, drive: Any
) -> None:
    drive(scene)

    started = [it.node.path for it in scene.told(TaskStarted) if isinstance(it, TaskStarted)]
    assert sorted(started) == sorted(call.node.path for call in scene.tracer.calls)
    assert {"here"} == {call.trace_parent for call in scene.tracer.calls}
    assert sorted(scene.tracer.ends, key=str) == sorted(
        [
            ("fork_0/flaky/flaky", "not yet"),
            ("fork_0/flaky/flaky", None),
            ("fork_0/later/later", None),
            ("join", None),
            ("last", None),
        ],
        key=str,
    )


@DRIVERS
def test_every_claim_is_told_and_what_was_parked_is_told_to_be_woken(
    scene: Scene, drive: Any
) -> None:
    drive(scene)

    woken = {(it.node.path, it.by.value) for it in scene.told(NodeWoken)}  # type: ignore[union-attr]
    assert {("nap", "timer"), ("go", "signal")} >= woken
    assert woken
    for claim in scene.told(NodeClaimed):
        assert isinstance(claim, NodeClaimed)
        assert claim.node.run.workflow_id == "story"
        assert claim.waited.total_seconds() >= 0


def test_a_late_write_is_told_as_refused_and_nothing_else_of_it(scene: Scene) -> None:
    kept: list[Any] = []
    port = scene.store.checkpoints
    whole = port.commit

    def commit(batch: Any) -> Any:
        kept.append(list(batch))
        return whole(batch)

    port.commit = commit  # type: ignore[method-assign]
    run_with_runner(scene)
    before = len(scene.told(StepRecorded))
    port.commit = whole  # type: ignore[method-assign]
    WorkflowClient(scene.store).submit(scene.flow, "one", 1, conflict_policy="terminate_existing")

    answers = scene.store.checkpoints.commit(kept[0])

    assert [Lost(LostReason.REPLACED)] * len(kept[0]) == answers
    refused = scene.told(WriteRefused)
    assert len(kept[0]) == len(refused)
    assert before == len(scene.told(StepRecorded))


def test_requests_and_signals_are_told(scene: Scene) -> None:
    client = WorkflowClient(scene.store)
    client.submit(scene.flow, "one", 1)
    client.pause("one")
    client.unpause("one")
    client.send_signal("one", "go", 1)
    client.cancel("one")

    requests = [it.request.value for it in scene.told(RunRequested) if isinstance(it, RunRequested)]
    assert ["pause", "unpause", "cancel"] == requests
    (sent,) = scene.told(SignalSent)
    assert isinstance(sent, SignalSent)
    assert ("one", "go") == (sent.instance_id, sent.name)


def test_a_failure_ends_its_run_once_though_two_branches_fail() -> None:
    """Siblings that fail, too, end nothing."""
    sink = Collecting()
    store = observed(InMemoryBackend(), sink)

    def fail(kind: type[Exception]) -> Any:
        def body(_: int) -> int:
            raise kind("bad")

        return body

    flow = (
        Flow[int, Any]("twice")
        .fork()
        .branch(fail(ValueError), name="left")
        .branch(fail(KeyError), name="right")
        .join(lambda parts: parts, name="join")
        .build()
    )
    status = CheckpointingRunner(store).run(flow, "one", 1)
    assert store.outlet.flush(20)

    ended = [it for it in sink.events if isinstance(it, RunEnded)]
    assert [(status.error or "").split(":")[0]] == [it.error for it in ended]
    assert any(isinstance(it, BatchCommitted) for it in sink.events)


def test_no_event_has_a_field_for_a_value_of_a_user() -> None:
    """Telemetry leaves the house: no input, output or error text goes with it."""
    words = {"input", "output", "value", "payload", "message", "traceback", "result"}
    for kind in Event.__args__:
        assert not words & {field.name for field in fields(kind)}, kind
