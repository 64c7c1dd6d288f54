"""Bodies that are called one after the other leave behind what any others do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from sayiir_core.authoring import Flow, LoopResult, get_task_context, task
from sayiir_core.errors import TaskError
from sayiir_core.ids import InstanceId
from sayiir_core.policy import RetryPolicy
from sayiir_core.snapshot.reference import encode_ref
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.api import resume_workflow, run_durable_workflow, run_workflow
from sayiir_runtime.memory import InMemoryBackend

Make = Callable[..., Any]


def called_here(function: Any, **options: Any) -> Any:
    return task(name=function.__name__, **options)(function)


def called_on_a_thread(function: Any, **options: Any) -> Any:
    return task(name=function.__name__, timeout=60, **options)(function)


def inc(value: int) -> int:
    return value + 1


def boxed(value: int) -> list[int]:
    return [value]


def unboxed(value: list[int]) -> int:
    value.append(0)
    return value[0]


def turn(value: int) -> Any:
    return LoopResult.done(value) if value > 6 else LoopResult.again(value)


def key(_: int) -> str:
    return "k"


def result(value: Any) -> int:
    return value["result"]


def everything(make: Make) -> Any:
    """Return a workflow in which plain tasks, loops, routes and forks follow each other."""
    body = Flow("b").then(make(inc), name="more").then(make(turn)).build()
    flow: Any = Flow("w").then(make(inc), name="a").then(make(boxed)).then(make(unboxed))
    flow = flow.loop(body, name="l").then(make(inc), name="b")
    flow = flow.route(make(key), keys=["k"]).branch("k", make(inc), name="arm").done()
    flow = flow.then(make(result)).fork().branch(make(inc), name="x").branch(make(inc), name="y")
    return flow.join(make(sum_of)).then(make(inc), name="c").build()


def sum_of(value: dict[str, int]) -> int:
    return sum(value.values())


def records(backend: InMemoryBackend, definition: Definition) -> list[tuple[Any, ...]]:
    head = backend.instances.load(InstanceId("i"))
    rows = backend.results.steps(head.header.run_id, limit=1000).rows
    told = [(definition.nodes[r.record.node].path, r.record.turns, r.record) for r in rows]
    end = encode_ref(head.header.output) if head.header.output is not None else None
    written = [
        (path, turns, it.attempt, it.status, it.output, it.verdict, it.error and it.error.text)
        for path, turns, it in told
    ]
    # Two branches may end in either order.
    return [*sorted(written, key=lambda each: each[:3]), (head.header.state, end)]


def test_a_chain_leaves_the_records_that_threads_leave() -> None:
    """It meets neither the claim nor, between plain tasks, the engine."""
    here, there = everything(called_here), everything(called_on_a_thread)
    backends = InMemoryBackend(), InMemoryBackend()

    outputs = [
        run_durable_workflow(workflow, "i", 0, backend).output
        for workflow, backend in zip((here, there), backends, strict=True)
    ]

    assert [21, 21] == outputs
    assert records(backends[0], here.definition) == records(backends[1], there.definition)


def test_a_run_that_one_thread_can_call_asks_its_store_for_nothing() -> None:
    """What a body gave goes to the next one, between plain tasks and between the turns of a loop."""
    backend, calls = InMemoryBackend(), Counter[str]()
    for port in ("instances", "checkpoints", "ownership", "results"):
        setattr(backend, port, Counted(getattr(backend, port), calls))
    body = Flow("b").then(inc).then(turn).build()
    flow = Flow("w").then(inc, name="a").then(boxed).then(unboxed).loop(body, name="l")

    status = run_durable_workflow(flow.then(inc, name="z").build(), "i", 0, backend)

    assert ("completed", 8) == (status.status, status.output)
    assert {"create": 1, "commit": 16} == calls


class Counted:
    """Count the calls of a port."""

    def __init__(self, port: Any, calls: Counter[str]) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        def made(*args: Any, **kwargs: Any) -> Any:
            self._calls[name] += 1
            return call(*args, **kwargs)

        return made


@pytest.mark.parametrize("make", [called_here, called_on_a_thread])
def test_a_failure_in_the_middle_is_retried_there_and_counted(make: Make) -> None:
    """The cursor of a chain follows only when it ends, which a failure makes it do."""
    backend, seen = InMemoryBackend(), []

    def flaky(value: int) -> int:
        context = get_task_context()
        assert context is not None
        seen.append((value, context.attempt, context.task_id))
        if context.attempt < 3:
            raise ValueError("not yet")
        return value + 1

    flow = Flow("w").then(make(inc), name="a").then(make(inc), name="b")
    workflow = flow.then(make(flaky, retries=RetryPolicy(2, 0.0))).then(make(inc)).build()

    status = run_durable_workflow(workflow, "i", 0, backend)

    assert ("completed", 4) == (status.status, status.output)
    assert [(2, 1, "flaky"), (2, 2, "flaky"), (2, 3, "flaky")] == seen
    statuses = [str(each[3]) for each in records(backend, workflow.definition)[:-1]]
    assert 6 == len(statuses)
    assert 2 == statuses.count("failed")


def test_each_body_sees_its_own_context_and_none_is_left() -> None:
    """The context is set before each body and taken back once, behind the last."""
    seen: list[Any] = []

    def look(value: int) -> int:
        context = get_task_context()
        assert context is not None
        nested = run_workflow(Flow("n").then(inc).build(), 1)
        after = get_task_context()
        assert after is not None
        seen.append((context.task_path, after.task_path, context.attempt, nested))
        return value

    workflow = Flow("w").then(look, name="a").then(look, name="b").delay("d", 0).then(look).build()

    run_durable_workflow(workflow, "i", 0)

    assert [("a", "a", 1, 2), ("b", "b", 1, 2), ("look", "look", 1, 2)] == seen
    assert get_task_context() is None


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_chain_leaves_the_steps_before_it(stop: type[BaseException]) -> None:
    """Nothing of the interrupted body is recorded, and a resume calls it again."""
    backend, calls = InMemoryBackend(), []

    def interrupted(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise stop
        return value + 1

    workflow = Flow("w").then(inc).then(interrupted).build()

    with pytest.raises(stop):
        run_durable_workflow(workflow, "i", 0, backend)
    after = get_task_context()
    status = resume_workflow(workflow, "i", backend)

    assert after is None
    assert ("completed", 2) == (status.status, status.output)
    assert [1, 1] == calls


def test_an_output_that_no_payload_can_hold_fails_its_step() -> None:
    """Encoding is the last thing that a body of a chain does."""
    workflow = Flow("w").then(inc).then(lambda _: object(), name="bad").then(inc, name="c").build()

    status = run_durable_workflow(workflow, "i", 0)

    assert ("failed", "bad") == (status.status, status.failed_task)
    with pytest.raises(TaskError):
        run_workflow(workflow, 0)
