"""Which spans a run leaves, whoever drives it, with any provider and with that of init_tracing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sayiir import CheckpointingRunner, Flow, InMemoryBackend, PooledWorker, WorkflowClient
from sayiir_core.ids import InstanceId, RunId, WorkflowId
from sayiir_core.policy import RetryPolicy
from sayiir_core.ports.telemetry import Instruments, NodePlace, RunPlace, TaskCall
from sayiir_otel import OtelTracer, segment
from sayiir_otel.lean_provider import LeanProvider
from sayiir_runtime.telemetry.observed import with_instruments

RUN = RunPlace(WorkflowId("order"), InstanceId("one"), RunId("run"))


class Scene:
    """A provider of its own, the tracer on it, and a store that it observes."""

    def __init__(self, *, lean: bool) -> None:
        self.exporter = InMemorySpanExporter()
        if lean:
            provider: TracerProvider = LeanProvider(Resource.create(), [self.exporter])
        else:
            provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.provider = provider
        self.user = provider.get_tracer("shop")
        self.tracer = OtelTracer(provider)
        instruments = Instruments(sinks=(self.tracer,), tracer=self.tracer)
        self.store = with_instruments(InMemoryBackend(), [instruments])

    def spans(self, name: str) -> list[ReadableSpan]:
        """Return the ended spans of a name in the order of their starts."""
        self.provider.force_flush()
        found = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)

    def span(self, name: str) -> ReadableSpan:
        """Return the only one."""
        (found,) = self.spans(name)
        return found


@pytest.fixture(params=[False, True], ids=["sdk", "lean"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Set the scene."""
    made = Scene(lean=request.param)
    yield made
    made.provider.shutdown()


def ids(span: ReadableSpan) -> tuple[int, int]:
    """Return trace and span."""
    return span.context.trace_id, span.context.span_id


def parent(span: ReadableSpan) -> tuple[int, int] | None:
    """Return trace and span of the parent."""
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_without_a_caller_s_trace_is_one_trace(scene: Scene) -> None:
    """Submit is its root, the stay below it, the tasks below that."""
    flow = Flow[int, int]("order").then(abs, name="a").then(abs, name="b").build()

    CheckpointingRunner(scene.store).run(flow, "one", 1)

    submit, run = scene.span("submit order"), scene.span("run order")
    assert parent(submit) is None
    assert ids(submit) == parent(run)
    assert [ids(run)] * 2 == [parent(scene.span(name)) for name in "ab"]


def test_a_failure_is_an_exception_on_its_attempt_and_each_attempt_is_a_span(scene: Scene) -> None:
    """Record class, text and stack; the attempt that succeeds is clean."""
    from sayiir import task

    calls: list[int] = []

    @task(retries=RetryPolicy(1, 0.001))
    def flaky(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise KeyError("no stock")
        return value

    CheckpointingRunner(scene.store).run(Flow[int, int]("order").then(flaky).build(), "one", 1)

    bad, good = scene.spans("flaky")
    (event,) = bad.events
    assert (trace.StatusCode.ERROR, trace.StatusCode.UNSET) == (
        bad.status.status_code,
        good.status.status_code,
    )
    assert event.attributes is not None
    assert ("exception", "KeyError") == (event.name, event.attributes["exception.type"])
    assert bad.attributes is not None
    assert good.attributes is not None
    assert "KeyError" == bad.attributes["error.type"]
    assert (1, 2) == tuple(it.attributes["sayiir.task.attempt"] for it in (bad, good))  # type: ignore[index]


def test_the_context_of_a_body_is_real_and_is_undone(scene: Scene) -> None:
    """Spans of the user nest, the caller's baggage is there, and nothing is left behind."""
    seen: dict[str, Any] = {}

    def sync(value: int) -> int:
        seen["sync"] = baggage.get_baggage("customer")
        with scene.user.start_as_current_span("inner sync"):
            return value

    async def later(value: int) -> int:
        await asyncio.sleep(0)
        seen["later"] = baggage.get_baggage("customer")
        with scene.user.start_as_current_span("inner later"):
            await asyncio.sleep(0)
            return value

    flow = Flow[int, int]("order").then(sync).then(later).build()
    with PooledWorker("w", scene.store).start([flow]):
        token = context.attach(baggage.set_baggage("customer", "Ada"))
        handle = WorkflowClient(scene.store).submit(flow, "one", 1)
        context.detach(token)
        handle.result("30s")
        until(lambda: bool(scene.spans("run order")))

    assert {"sync": "Ada", "later": "Ada"} == seen
    assert ids(scene.span("sync")) == parent(scene.span("inner sync"))
    assert ids(scene.span("later")) == parent(scene.span("inner later"))
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_park_ends_the_stay_and_the_next_one_links_to_it(scene: Scene) -> None:
    """No span is open while a run waits; whoever resumes is linked, and the trace stays one."""
    flow = (
        Flow[int, int]("order")
        .then(abs, name="a")
        .wait_for_signal("go")
        .then(abs, name="b")
        .build()
    )
    runner, client = CheckpointingRunner(scene.store), WorkflowClient(scene.store)
    with scene.user.start_as_current_span("request"):
        runner.run(flow, "one", 1)
    parked = scene.spans("run order")
    client.send_signal("one", "go", 2)
    with scene.user.start_as_current_span("another request") as resumer:
        runner.resume(flow, "one")

    first, second = scene.spans("run order")
    assert [first] == parked
    assert {"previous": ids(first), "resumer": (
        resumer.get_span_context().trace_id, resumer.get_span_context().span_id
    )} == {
        str((link.attributes or {})["sayiir.link"]): (link.context.trace_id, link.context.span_id)
        for link in second.links
    }  # fmt: skip
    assert first.context.trace_id == second.context.trace_id
    assert resumer.get_span_context().trace_id != second.context.trace_id
    assert ids(second) == parent(scene.span("b"))
    assert not first.links


def test_the_turns_of_a_loop_are_told_apart_by_an_attribute(scene: Scene) -> None:
    """Names stay few."""
    from sayiir import LoopResult

    def body(value: int) -> LoopResult[int]:
        return LoopResult.done(value) if value > 1 else LoopResult.again(value + 1)

    flow = Flow[int, int]("order").loop(body, name="again", max_iterations=5).build()
    CheckpointingRunner(scene.store).run(flow, "one", 0)

    scene.provider.force_flush()
    turns = {
        (span.attributes or {})["sayiir.task.turns"]: span.name
        for span in scene.exporter.get_finished_spans()
        if "sayiir.task.turns" in (span.attributes or {})
    }
    assert 3 == len(turns)
    assert 1 == len(set(turns.values()))


def test_many_runs_submitted_together_share_one_producer_span(scene: Scene) -> None:
    """Say how many; each of them is a child of it."""
    flow = Flow[int, int]("order").then(abs, name="a").build()
    WorkflowClient(scene.store).submit_many(flow, [(f"i-{n}", n) for n in range(3)])
    with PooledWorker("w", scene.store).start([flow]):
        until(lambda: len(scene.spans("run order")) == 3)

    submit = scene.span("submit order")
    assert submit.attributes is not None
    assert 3 == submit.attributes["messaging.batch.message_count"]
    assert "sayiir.instance.id" not in submit.attributes
    assert {ids(submit)} == {parent(span) for span in scene.spans("run order")}


def call(run: RunPlace = RUN) -> TaskCall:
    """Return a call of a task."""
    return TaskCall(NodePlace(run, "a", ()), 1, None)


def test_a_stay_that_goes_on_elsewhere_ends_with_its_last_body(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while without a body, at the next event of any kind."""
    scene.tracer.leave(scene.tracer.enter(call()), None)
    scene.tracer.receive([])
    assert [] == scene.spans("run order")

    monkeypatch.setattr(segment, "IDLE_NANOSECONDS", 0)
    scene.tracer.receive([])

    assert (scene.span("a").end_time or 0) <= (scene.span("run order").end_time or 0)
    assert (scene.span("run order").end_time or 0) <= time.time_ns()


def test_a_body_that_runs_on_keeps_its_stay_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rest of another branch ends nothing, nor does time."""
    monkeypatch.setattr(segment, "IDLE_NANOSECONDS", 0)
    token = scene.tracer.enter(call())
    scene.tracer.rest(RUN)
    scene.tracer.receive([])
    assert [] == scene.spans("run order")

    scene.tracer.leave(token, None)
    scene.tracer.rest(RUN)

    assert 1 == len(scene.spans("run order"))


def test_a_forked_child_ends_nothing_of_its_parent(scene: Scene) -> None:
    """The stay is told once, by the process that began it."""
    token = scene.tracer.enter(call())
    child = os.fork()
    if child == 0:
        scene.tracer.close()
        other = RunPlace(RUN.workflow_id, RUN.instance_id, RunId("of the child"))
        scene.tracer.leave(scene.tracer.enter(call(other)), None)
        scene.tracer.rest(other)
        os._exit(len(scene.spans("run order")))
    _, status = os.waitpid(child, 0)
    scene.tracer.leave(token, None)
    scene.tracer.close()

    assert 1 == os.waitstatus_to_exitcode(status)
    assert 1 == len(scene.spans("run order"))
