"""One thread watches for all who wait, through outages, and never tells an end that is none."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sayiir_core.authoring import Flow, Workflow
from sayiir_core.errors import BackendError, InstanceNotFoundError, TaskError
from sayiir_core.ports.backend import Backend
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_runtime.api import resume_workflow
from sayiir_runtime.client import AsyncWorkflowClient, WorkflowClient, pace, watcher
from sayiir_runtime.memory import InMemoryBackend

PATIENCE = 20.0


def inc(value: int) -> int:
    return value + 1


def incrementing() -> Workflow[int, int]:
    """Return a workflow of one task."""
    return Flow[int, int]("incrementing").then(inc).build()


def watchers() -> list[threading.Thread]:
    """Return the threads that watch."""
    return [each for each in threading.enumerate() if each.name == "sayiir-watcher"]


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def no_watcher_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin without a watcher, and end when it has ended."""
    monkeypatch.setattr(watcher, "LINGER_SECONDS", 0.05)
    until(lambda: not watchers())
    yield
    until(lambda: not watchers())


def awaited(client: WorkflowClient) -> int:
    """Return how many runs a client awaits."""
    return len(client.follower.watcher._awaited)


def callers(client: WorkflowClient) -> int:
    """Return how many callers wait for them."""
    return sum(map(len, client.follower.watcher._awaited.values()))


def test_two_thousand_awaiting_coroutines_cost_one_thread_and_little_time() -> None:
    """Headers are read for all of them by few calls, and all get their own result."""
    backend, workflow, count = InMemoryBackend(), incrementing(), 2000
    spent: list[float] = []
    read = backend.instances.headers

    def headers(ids: Any) -> Any:
        began = time.thread_time()
        found = read(ids)
        spent.append(time.thread_time() - began)
        return found

    backend.instances = _Replaced(backend.instances, headers=headers)  # type: ignore[assignment]
    client = AsyncWorkflowClient(backend)

    async def main() -> tuple[list[Any], int]:
        handles = await client.submit_many(workflow, ((f"i-{n}", n) for n in range(count)))
        waiting = [asyncio.ensure_future(handle.result()) for handle in handles]  # type: ignore[union-attr]
        await asyncio.sleep(0)
        assert count == awaited(client._client)
        threads = len(watchers())
        for n in range(count):
            await asyncio.to_thread(resume_workflow, workflow, f"i-{n}", backend)
        return await asyncio.gather(*waiting), threads

    began = time.monotonic()
    results, threads = asyncio.run(main())
    took = time.monotonic() - began

    assert [n + 1 for n in range(count)] == results
    assert 1 == threads
    assert 0 == awaited(client._client)
    # A fifth of the time is the bound; the rest is for what the clocks do not see.
    assert sum(spent) <= 0.3 * took + 0.2


class _Replaced:
    """Another object with some methods of its own."""

    def __init__(self, plain: Any, **methods: Any) -> None:
        self._plain = plain
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


def test_the_thread_begins_with_the_first_wait_and_ends_after_the_last() -> None:
    """A client that nobody waits with has none, and begins a new one when it is needed."""
    backend, workflow = InMemoryBackend(), incrementing()
    client = WorkflowClient(backend)
    first, second = (client.submit(workflow, name, 1) for name in ("a", "b"))
    resume_workflow(workflow, "a", backend)
    resume_workflow(workflow, "b", backend)
    before = watchers()

    one = first.result(PATIENCE)
    until(lambda: not watchers())
    two = second.result(PATIENCE)

    assert ([], 2, 2) == (before, one, two)


def test_cancelled_and_late_waiters_are_forgotten() -> None:
    """Nothing is left of them, and the one who stays gets the result."""
    backend, workflow = InMemoryBackend(), incrementing()
    client = AsyncWorkflowClient(backend)

    async def main() -> Any:
        handle = await client.submit(workflow, "a", 1)
        leaving = [asyncio.ensure_future(handle.result()) for _ in range(50)]
        staying = asyncio.ensure_future(handle.result())
        await asyncio.sleep(0)
        assert 51 == callers(client._client)
        for each in leaving:
            each.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        with pytest.raises(TimeoutError):
            await handle.result("10ms")
        left = callers(client._client)
        await asyncio.to_thread(resume_workflow, workflow, "a", backend)
        return left, await staying

    assert (1, 2) == asyncio.run(main())
    assert 0 == awaited(client._client)


def test_a_loop_that_was_closed_does_not_harm_the_others() -> None:
    """A result for nobody is dropped, and the thread goes on."""
    backend, workflow = InMemoryBackend(), incrementing()
    client = AsyncWorkflowClient(backend)
    loop = asyncio.new_event_loop()
    handle = loop.run_until_complete(client.submit(workflow, "a", 1))
    abandoned = loop.create_task(handle.result())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    abandoned._log_destroy_pending = False  # type: ignore[attr-defined]

    resume_workflow(workflow, "a", backend)

    assert 2 == client._client.handle("a").result(PATIENCE)


def test_a_hint_of_the_store_ends_a_long_pause(
    disturbed: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends after a long quiet is told by a hint: the next look is an hour away."""
    monkeypatch.setattr(pace, "_GROWTH", 1e9)
    monkeypatch.setattr(pace, "LONGEST", 3600.0)
    workflow = Flow[int, int]("parked").wait_for_signal("go").build()
    client = WorkflowClient(disturbed)
    handle = client.submit(workflow, "a", 1)
    resume_workflow(workflow, "a", disturbed)
    waiting = in_thread(lambda: handle.result(PATIENCE))
    until(lambda: client.follower.watcher._pace.due > time.monotonic() + 60)

    client.send_signal("a", "go", 7)
    resume_workflow(workflow, "a", disturbed)

    assert 7 == waiting.result()


def test_a_store_whose_hints_fail_is_polled(
    disturbed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """They save time, and cost no result."""

    class Deaf:
        def subscribe(self, *_: Any) -> Any:
            raise RuntimeError("no hints today")

    disturbed.wakeup = Deaf()
    workflow = incrementing()
    handle = WorkflowClient(disturbed).submit(workflow, "a", 1)
    resume_workflow(workflow, "a", disturbed)

    assert 2 == handle.result(PATIENCE)
    assert ["no hints today" in record.getMessage() for record in caplog.records] == [True]


def test_an_outage_is_waited_out_and_told_once(
    disturbed: Any, in_thread: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Those who wait get their result when the store is back."""
    caplog.set_level(logging.INFO, "sayiir.client")
    workflow = incrementing()
    handle = WorkflowClient(disturbed).submit(workflow, "a", 1)
    resume_workflow(workflow, "a", disturbed)

    def fail(_: Callable[[], Any]) -> Any:
        raise BackendError("the store is away", transient=True)

    disturbed.around["instances.headers"] = fail
    waiting = in_thread(lambda: handle.result(PATIENCE))
    until(lambda: disturbed.calls["instances.headers"] >= 5)
    del disturbed.around["instances.headers"]

    assert 2 == waiting.result()
    assert [
        (logging.WARNING, "the store cannot be reached; results are awaited on: the store is away"),
        (logging.INFO, "the store can be reached again"),
    ] == [(record.levelno, record.getMessage()) for record in caplog.records]


def test_an_outage_between_the_end_and_its_output_is_waited_out(disturbed: Any) -> None:
    """By threads and by coroutines."""
    workflow = incrementing()
    threads, loops = WorkflowClient(disturbed), AsyncWorkflowClient(disturbed)
    handle = threads.submit(workflow, "a", 1)
    resume_workflow(workflow, "a", disturbed)

    def fail_thrice(call: Callable[[], Any]) -> Any:
        if disturbed.calls["results.payloads"] % 4:
            raise BackendError("the store is away", transient=True)
        return call()

    async def main() -> Any:
        handle = await loops.handle("a")
        disturbed.calls.clear()
        disturbed.around["results.payloads"] = fail_thrice
        return await handle.result(PATIENCE)

    awaited_by_loop = asyncio.run(main())
    calls = disturbed.calls["results.payloads"]

    assert (2, 2) == (awaited_by_loop, handle.result(PATIENCE))
    assert (4, 8) == (calls, disturbed.calls["results.payloads"])


def test_an_error_that_stays_reaches_those_who_wait(disturbed: Any) -> None:
    """Waiting on would be waiting for ever; and the thread serves the next one."""
    workflow = incrementing()
    client = WorkflowClient(disturbed)
    handle = client.submit(workflow, "a", 1)
    resume_workflow(workflow, "a", disturbed)

    def fail(_: Callable[[], Any]) -> Any:
        raise BackendError("the schema is gone")

    disturbed.around["instances.headers"] = fail
    with pytest.raises(BackendError, match="the schema is gone"):
        handle.result(PATIENCE)
    del disturbed.around["instances.headers"]

    assert 2 == handle.result(PATIENCE)


def test_who_waits_for_a_retry_does_not_get_the_failure_before_it(
    disturbed: Any, in_thread: Any
) -> None:
    """A look that began before the retry may settle only those who waited by then."""
    broken = [True]

    def fail(value: int) -> int:
        if broken[0]:
            raise ValueError("bad")
        return value

    workflow = Flow[int, int]("failing").then(fail).build()
    client = WorkflowClient(disturbed)
    handle = client.submit(workflow, "a", 1)
    reading, proceed = threading.Event(), threading.Event()

    def slowly(call: Callable[[], Any]) -> Any:
        found = call()
        if found[0] is not None and found[0].state == "failed":
            reading.set()
            assert proceed.wait(PATIENCE)
        return found

    disturbed.around["instances.headers"] = slowly
    # Its head is loaded as it was at that look, too.
    disturbed.around["instances.load"] = lambda call: call()
    early = in_thread(lambda: handle.result(PATIENCE))
    resume_workflow(workflow, "a", disturbed)
    assert reading.wait(PATIENCE)
    failed = disturbed.plain.instances.load("a")
    disturbed.around["instances.load"] = lambda _: failed
    late = in_thread(lambda: handle.result(PATIENCE))
    until(lambda: 2 == callers(client))
    broken[0] = False
    disturbed.around.pop("instances.headers")
    client.retry("a")
    proceed.set()
    with pytest.raises(TaskError, match="ValueError: bad"):
        early.result()
    disturbed.around.pop("instances.load")
    resume_workflow(workflow, "a", disturbed)

    assert 1 == late.result()


def test_a_removed_instance_is_not_waited_for(disturbed: Any) -> None:
    """Pruning it tells those who wait, instead of leaving them."""
    workflow = incrementing()
    handle = WorkflowClient(disturbed).submit(workflow, "a", 1)
    disturbed.around["instances.headers"] = lambda _: [None]

    with pytest.raises(InstanceNotFoundError, match="'a'"):
        handle.result(PATIENCE)


def test_a_forked_child_has_a_watcher_of_its_own() -> None:
    """A pre-fork server may have waited before it forks."""
    backend, workflow = InMemoryBackend(), incrementing()
    client = WorkflowClient(backend)
    mine, childs = (client.submit(workflow, name, 1) for name in ("a", "b"))
    with pytest.raises(TimeoutError):
        mine.result("10ms")

    def work() -> None:
        resume_workflow(workflow, "b", backend)
        assert 2 == childs.result(PATIENCE)
        assert 1 == len(watchers())

    in_forked_child(work)


def test_many_threads_share_the_watcher(in_thread: Any) -> None:
    """Threads that wait for one run, and for others, all get their answer."""
    backend: Backend = InMemoryBackend()
    workflow = incrementing()
    client = WorkflowClient(backend)
    handles = [client.submit(workflow, f"i-{n}", n) for n in range(4)]
    waiting = [in_thread(lambda h=h: h.result(PATIENCE)) for h in handles for _ in range(4)]
    until(lambda: 16 == callers(client))
    threads = len(watchers())

    for handle in handles:
        resume_workflow(workflow, handle.instance_id, backend)

    assert [n + 1 for n in range(4) for _ in range(4)] == [each.result() for each in waiting]
    assert 1 == threads
