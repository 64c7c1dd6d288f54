"""What an engine serves, with which stubs, and how it is driven: on this thread or on a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from sayiir_core.errors import WorkflowError
from sayiir_core.ports.backend import Backend
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.binding import AnyWorkflow, Binding, BoundProgram, bind
from sayiir_pytest.engine.host import Host, running_loop
from sayiir_pytest.engine.journal import Journal
from sayiir_pytest.engine.sleep import SleepGuard
from sayiir_pytest.engine.timeline import Limit, Timeline
from sayiir_pytest.engine.worker import EngineWorker
from sayiir_runtime.codec import PayloadCodec


class Stage:
    """The workflows and the stubs of one engine, and the workers that run them.

    A worker is made anew when a workflow or a stub was added since the last drive.
    """

    def __init__(
        self, backend: Backend, clock: VirtualClock, codec: PayloadCodec, journal: Journal
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._codec = codec
        self._journal = journal
        self._guard = SleepGuard(clock, journal.has_run)
        self._host = Host(clock, self._note_wait)
        self.timeline: Final = Timeline(backend, clock, self._host)
        self.workflows: Final[list[AnyWorkflow]] = []
        self._bindings: list[Binding] = []
        self._programs: list[BoundProgram] = []
        self._is_stale = False
        self._is_closed = False

    def know(self, workflow: AnyWorkflow) -> None:
        """Serve a workflow from now on; of two with one structure the later one."""
        if any(workflow is known for known in self.workflows):
            return
        identity = workflow.definition.identity
        self.workflows[:] = [it for it in self.workflows if it.definition.identity != identity]
        self.workflows.append(workflow)
        self.timeline.identities.add(identity)
        self._guard.watch(workflow.functions)
        self._is_stale = True

    def workflow(self, identity: DefinitionIdentity) -> AnyWorkflow | None:
        """Return the workflow of an identity, None if it is not served."""
        found = [it for it in self.workflows if it.definition.identity == identity]
        return found[0] if found else None

    def stubs(self, workflow: AnyWorkflow) -> list[str]:
        """Return the paths of the tasks of a served workflow that stubs stand in for."""
        identity = workflow.definition.identity
        return [
            node.path
            for program in self._programs
            if program.identity == identity
            for node in program.definition.nodes
            if program.stub(node.ordinal) is not None
        ]

    def add(self, binding: Binding, stand_in: Callable[..., Any] | None = None) -> None:
        """Bind a stub or a spy, checked at once if it is meant for one workflow."""
        self._guard.watch([stand_in])
        if binding.only is not None:
            bind([binding.only], self._codec, [binding])
        self._bindings.append(binding)
        self._is_stale = True

    def check(self) -> None:
        """Raise what is wrong with the stubs, before anything is stored or sent."""
        self._refreshed()

    def check_caller(self) -> None:
        """Check, and raise ``WorkflowError`` where coroutines cannot be run by a blocking call."""
        programs = self._refreshed()
        if running_loop() is not None and any(program.is_async for program in programs):
            raise WorkflowError(
                "async tasks cannot run inside of a blocking call while an event loop runs; await "
                "the _async form, as in: await engine.run_async(…)"
            )

    def caller_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that runs; raises ``WorkflowError`` where only a blocking form can go on."""
        loop = running_loop()
        if loop is None:
            raise WorkflowError(
                "the _async forms need a running asyncio loop; call the blocking form instead, "
                "as in engine.run(…), which waits for nothing"
            )
        return loop

    def drive(self, limit: Limit) -> None:
        """Let things happen, as far as the limit says."""
        self.check_caller()
        with self._guard.guarding(None):
            for until in self._steps(limit):
                self._host.pump(until)

    async def drive_async(self, limit: Limit) -> None:
        """Let things happen like ``drive``, with coroutines on the running loop."""
        loop = self.caller_loop()
        with self._host.hosted(loop), self._guard.guarding(loop):
            for until in self._steps(limit):
                await self._host.pump_async(until)

    def close(self) -> None:
        """Give back what runs, and end the sessions; repeatable."""
        self._is_closed = True
        self.timeline.close()
        self._host.close()

    def _steps(self, limit: Limit) -> Iterator[datetime]:
        self._refreshed()
        return self.timeline.steps(limit)

    def _refreshed(self) -> list[BoundProgram]:
        """Employ a worker for what is served now, and return its programs."""
        if self._is_closed:
            raise WorkflowError("the engine is closed: it ends with the test that it was made for")
        if self._is_stale and self.workflows:
            self._programs = bind(self.workflows, self._codec, self._bindings)
            self.timeline.employ(
                EngineWorker(
                    self._backend,
                    self._clock,
                    self._programs,
                    self._codec,
                    journal=self._journal,
                    host=self._host,
                )
            )
            self._is_stale = False
        return self._programs

    def _note_wait(self, seconds: float) -> None:
        self._guard.waited(self.timeline.running(), seconds)
