"""Whatever a body raises or cancels, its attempt ends, and the run with it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.errors import TaskError
from sayiir_core.ids import InstanceId
from sayiir_runtime.api import (
    run_durable_workflow,
    run_durable_workflow_async,
    run_workflow,
)
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.operations import Operations
from sayiir_runtime.runner.describe import MAX_MESSAGE, MAX_TRACEBACK


class UnreadableError(Exception):
    """An exception whose attributes and text cannot be read."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__notes__":
            raise ValueError("no notes")
        return super().__getattribute__(name)

    def __str__(self) -> str:
        raise ValueError("no text")


class InterruptingError(Exception):
    """An exception whose text interrupts."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


class Panic(BaseException):
    """What native extensions raise: no ``Exception``, and nobody's wish to stop."""


def raising(error: BaseException) -> Any:
    def body(value: int) -> int:
        raise error

    return body


def forked(body: Any) -> Any:
    """Return a workflow that calls a body on a thread of the pool."""
    return Flow("f").fork().branch(body, name="x").branch(abs).join(lambda v: v).build()


def test_an_unreadable_exception_on_a_thread_fails_the_run(in_thread: Any) -> None:
    """Formatting it killed the pool's thread, and the run waited for ever."""
    workflow = forked(raising(UnreadableError()))

    status = in_thread(lambda: run_durable_workflow(workflow, "i", 0)).result()

    assert "failed" == status.status
    assert status.error.startswith("UnreadableError: (its message could not be read")
    assert "in body" in status.error_traceback


def test_an_exception_whose_text_interrupts_interrupts_the_run(in_thread: Any) -> None:
    """That, too, once killed the pool's thread."""
    workflow = forked(raising(InterruptingError()))

    with pytest.raises(KeyboardInterrupt):
        in_thread(lambda: run_durable_workflow(workflow, "i", 0)).result()


def test_an_exit_in_a_task_that_a_body_made_ends_the_run(in_thread: Any) -> None:
    """It stopped the private loop, and the body that awaited it was never heard of again."""

    async def leave() -> None:
        sys.exit(3)

    async def body(value: int) -> int:
        await asyncio.gather(leave())
        return value

    backend = InMemoryBackend()
    workflow = Flow("f").then(body).build()

    with pytest.raises(SystemExit):
        in_thread(lambda: run_durable_workflow(workflow, "i", 0, backend)).result()

    assert "in_progress" == Operations(backend).status("i").status


@pytest.mark.parametrize("error", [Panic("lost"), asyncio.CancelledError("lost")])
def test_what_is_neither_exception_nor_interrupt_fails_the_run(error: BaseException) -> None:
    """It once escaped from every run and resume, so that the instance never failed."""
    workflow = Flow("f").then(raising(error), name="body").build()

    status = run_durable_workflow(workflow, "i", 0)
    with pytest.raises(TaskError) as in_process:
        run_workflow(workflow, 0)

    assert f"{type(error).__name__}: lost" == status.error
    assert error is in_process.value.__cause__


def test_a_long_error_is_stored_shortened() -> None:
    """An error stands in the header, which every load of the instance reads."""
    workflow = Flow("f").then(raising(ValueError("begin" + "x" * 5_000_000 + "end"))).build()

    status = run_durable_workflow(workflow, "i", 0)

    assert status.error.startswith("ValueError: begin")
    assert status.error.endswith("end")
    assert len(status.error) < MAX_MESSAGE + 100
    assert len(status.error_traceback) < MAX_TRACEBACK + 100


def test_a_loop_that_cancels_a_body_from_outside_does_not_fail_its_run() -> None:
    """A server that shuts down cancels every task of its loop; its instances stay resumable."""
    backend = InMemoryBackend()
    started = asyncio.Event()

    async def body(value: int) -> int:
        started.set()
        await asyncio.sleep(60)
        return value

    async def serve() -> None:
        workflow = Flow("f").then(body).build()
        run = asyncio.create_task(run_durable_workflow_async(workflow, "i", 0, backend))
        await started.wait()
        for task in asyncio.all_tasks() - {run, asyncio.current_task()}:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(serve())

    assert "in_progress" == Operations(backend).status("i").status


def test_a_cancelled_caller_starts_no_further_body() -> None:
    """The chain of a run whose caller was gone once ran on to its end."""
    backend, calls = InMemoryBackend(), []
    cancelled = threading.Event()

    async def serve() -> None:
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def body(value: int) -> int:
            calls.append(value)
            loop.call_soon_threadsafe(started.set)
            assert cancelled.wait(10)
            return value + 1

        workflow = Flow("f").then(body, name="a").then(body, name="b").build()
        run = asyncio.create_task(run_durable_workflow_async(workflow, "i", 0, backend))
        await started.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        cancelled.set()

    asyncio.run(serve())
    deadline = time.monotonic() + 10
    while backend.instances.load(InstanceId("i")).header.owner is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)

    assert [0] == calls
    assert 1 == Operations(backend).get_task_result("i", "a")
