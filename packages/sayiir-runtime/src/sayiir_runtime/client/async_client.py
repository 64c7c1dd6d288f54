"""The client for event loops: the other one, with its store calls made off the loop's thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, Unpack

from sayiir_core.authoring import Workflow
from sayiir_core.duration import Duration, parse_duration
from sayiir_core.engine.explain import Explanation
from sayiir_core.ids import RunKey
from sayiir_core.policy import ConflictPolicy
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.results import StepPage
from sayiir_runtime.client.client import WorkflowClient
from sayiir_runtime.client.end import End, output_of
from sayiir_runtime.client.following import deadline, left, passing_troubles
from sayiir_runtime.client.handle import WorkflowHandle
from sayiir_runtime.client.listing import Filters, InstanceSummary, SummaryPage
from sayiir_runtime.client.submission import chunks
from sayiir_runtime.observe import TaskResult
from sayiir_runtime.payloads import CodecChoice, convert_to
from sayiir_runtime.runner.offload import call_store
from sayiir_runtime.status import WorkflowStatus

In = TypeVar("In")
T = TypeVar("T")


class AsyncWorkflowClient:
    """Do what ``WorkflowClient`` does without blocking the event loop.

    Cancelling an awaiting caller does not cancel the store call, but ends its waiting for a
    result. One client serves any number of tasks and loops.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        conflict_policy: ConflictPolicy | str | None = None,
        codec: CodecChoice = None,
    ) -> None:
        self._client = WorkflowClient(backend, conflict_policy=conflict_policy, codec=codec)
        self._backend = backend

    async def submit(
        self,
        workflow: Workflow[In, Any],
        instance_id: str,
        input: In,  # noqa: A002 - the word of the public contract
        *,
        labels: Mapping[str, str] | None = None,
        conflict_policy: ConflictPolicy | str | None = None,
    ) -> AsyncWorkflowHandle:
        """Store a run for the workers; see ``WorkflowClient.submit``."""
        handle = await self._call(
            lambda: self._client.submit(
                workflow, instance_id, input, labels=labels, conflict_policy=conflict_policy
            )
        )
        return AsyncWorkflowHandle(self, handle)

    async def submit_many(
        self,
        workflow: Workflow[In, Any],
        items: Iterable[tuple[str, In]],
        *,
        labels: Mapping[str, str] | None = None,
        conflict_policy: ConflictPolicy | str | None = None,
    ) -> list[AsyncWorkflowHandle | Exception]:
        """Store many runs; see ``WorkflowClient.submit_many``."""
        submission = self._client.submission(workflow, labels, conflict_policy)
        handles: list[AsyncWorkflowHandle | Exception] = []
        for chunk in chunks(items):
            answers = await self._call(lambda: self._client.submit_chunk(submission, chunk))  # noqa: B023
            handles += [
                AsyncWorkflowHandle(self, answer) if isinstance(answer, WorkflowHandle) else answer
                for answer in answers
            ]
            # A store that is called inline would keep the loop until all is stored.
            await asyncio.sleep(0)
        return handles

    async def handle(self, instance_id: str) -> AsyncWorkflowHandle:
        """Return a handle of the instance's present run; raises ``InstanceNotFoundError``."""
        return AsyncWorkflowHandle(self, await self._call(lambda: self._client.handle(instance_id)))

    async def status(self, instance_id: str) -> WorkflowStatus:
        """Return what an instance does; raises ``InstanceNotFoundError``."""
        return await self._call(lambda: self._client.status(instance_id))

    async def explain(self, instance_id: str) -> list[Explanation]:
        """Say why an instance stands where it stands, place by place, and what helps."""
        return await self._call(lambda: self._client.explain(instance_id))

    async def cancel(
        self, instance_id: str, *, reason: str | None = None, cancelled_by: str | None = None
    ) -> None:
        """Cancel for good; a second cancel changes nothing."""
        await self._call(
            lambda: self._client.cancel(instance_id, reason=reason, cancelled_by=cancelled_by)
        )

    async def pause(
        self, instance_id: str, *, reason: str | None = None, paused_by: str | None = None
    ) -> None:
        """Hold until ``unpause``."""
        await self._call(
            lambda: self._client.pause(instance_id, reason=reason, paused_by=paused_by)
        )

    async def unpause(self, instance_id: str) -> None:
        """Release what a pause holds."""
        await self._call(lambda: self._client.unpause(instance_id))

    async def retry(self, instance_id: str) -> None:
        """Revive a failed instance, with fresh attempts of what failed."""
        await self._call(lambda: self._client.retry(instance_id))

    async def send_signal(self, instance_id: str, signal_name: str, payload: Any) -> int:
        """Send a signal and return its number in the inbox of the instance id."""
        return await self._call(lambda: self._client.send_signal(instance_id, signal_name, payload))

    signal = send_signal

    async def get_task_result(self, instance_id: str, task_id: str) -> Any:
        """Return the plain value that a node gave, None if none yet."""
        return await self._call(lambda: self._client.get_task_result(instance_id, task_id))

    async def task(self, instance_id: str, task_id: str) -> TaskResult:
        """Return the value of a node with its state, attempts and error."""
        return await self._call(lambda: self._client.task(instance_id, task_id))

    async def history(
        self, instance_id: str, *, after: str | None = None, limit: int = 100
    ) -> StepPage:
        """Return one page of an instance's records, oldest first."""
        return await self._call(lambda: self._client.history(instance_id, after=after, limit=limit))

    async def page(
        self,
        workflow: Workflow[Any, Any] | str | None = None,
        *,
        after: str | None = None,
        limit: int = 100,
        **filters: Unpack[Filters],
    ) -> SummaryPage:
        """Return one page of ``list``; ``after`` is the ``next`` of the page before."""
        listing = self._client.listing(workflow, filters)
        return await self._call(lambda: listing.page(after=after, limit=limit))

    async def list(
        self, workflow: Workflow[Any, Any] | str | None = None, **filters: Unpack[Filters]
    ) -> AsyncIterator[InstanceSummary]:
        """Iterate over instances, the newest first; see ``WorkflowClient.list``."""
        page = await self.page(workflow, **filters)
        while True:
            for summary in page.summaries:
                yield summary
            if page.next is None:
                return
            page = await self.page(workflow, after=page.next, **filters)

    async def ended(self, run: RunKey, seconds: float | None) -> WorkflowStatus:
        """Wait until a run has ended; see ``WorkflowHandle.wait``."""
        follower, until = self._client.follower, deadline(seconds)
        while True:
            end = await self._end(run, left(until))
            if end is None:
                return await self._call(lambda: follower.status_when_late(run, seconds or 0.0))
            with passing_troubles():
                return await self._call(partial(follower.status_at, end))

    async def _end(self, run: RunKey, seconds: float | None) -> End | None:
        """Return how a run has ended, None if it has not in time."""
        watcher = self._client.follower.watcher
        loop = asyncio.get_running_loop()
        future: asyncio.Future[End] = loop.create_future()

        def settle(end: End) -> None:
            # The loop may be closed by now; then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, future, end)

        watcher.watch(run, settle)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            watcher.forget(run, settle)
        return future.result() if future.done() else None

    async def _call(self, call: Callable[[], T]) -> T:
        return await call_store(self._backend, call)


class AsyncWorkflowHandle:
    """A run that was submitted; see ``WorkflowHandle``.

    ``submitted`` is the status that it had at submission.
    """

    __slots__ = ("_client", "_run", "instance_id", "run_id", "submitted")

    def __init__(self, client: AsyncWorkflowClient, handle: WorkflowHandle) -> None:
        self._client = client
        self._run = handle.run
        self.instance_id = handle.instance_id
        self.run_id = handle.run_id
        self.submitted: WorkflowStatus = handle

    async def status(self) -> WorkflowStatus:
        """Return the status now; raises ``InstanceNotFoundError``."""
        return await self._client.status(self.instance_id)

    # asyncio.timeout could not say what the run does instead of ending.
    async def wait(self, timeout: Duration | None = None) -> WorkflowStatus:  # noqa: ASYNC109
        """Wait until the run is completed, failed or cancelled, and return its status."""
        seconds = None if timeout is None else parse_duration(timeout)
        return await self._client.ended(self._run, seconds)

    async def result(self, timeout: Duration | None = None) -> Any:  # noqa: ASYNC109
        """Wait for the end and return the plain output; see ``WorkflowHandle.result``."""
        return output_of(await self.wait(timeout))

    async def result_as(self, kind: type[T], timeout: Duration | None = None) -> T:  # noqa: ASYNC109
        """Wait as ``result`` does and validate the output into a type."""
        return convert_to(await self.result(timeout), kind)

    async def cancel(self, *, reason: str | None = None, cancelled_by: str | None = None) -> None:
        """Cancel the instance for good; a second cancel changes nothing."""
        await self._client.cancel(self.instance_id, reason=reason, cancelled_by=cancelled_by)

    async def pause(self, *, reason: str | None = None, paused_by: str | None = None) -> None:
        """Hold the instance until ``unpause``."""
        await self._client.pause(self.instance_id, reason=reason, paused_by=paused_by)

    async def unpause(self) -> None:
        """Release what a pause holds."""
        await self._client.unpause(self.instance_id)

    async def retry(self) -> None:
        """Revive the failed instance."""
        await self._client.retry(self.instance_id)

    async def send_signal(self, signal_name: str, payload: Any) -> int:
        """Send a signal and return its number in the instance's inbox."""
        return await self._client.send_signal(self.instance_id, signal_name, payload)

    signal = send_signal

    async def get_task_result(self, task_id: str) -> Any:
        """Return the plain value that a task gave, None if none yet."""
        return await self._client.get_task_result(self.instance_id, task_id)

    async def explain(self) -> list[Explanation]:
        """Say why the instance stands where it stands, and what helps."""
        return await self._client.explain(self.instance_id)

    def __repr__(self) -> str:
        return f"<AsyncWorkflowHandle {self.instance_id}, {self.submitted.status} at submission>"


def _resolve(future: asyncio.Future[End], end: End) -> None:
    if not future.done():
        future.set_result(end)
