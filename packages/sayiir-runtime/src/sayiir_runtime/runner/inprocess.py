"""The runner without a store.

How this works: the straight beginning of a workflow (plain synchronous tasks of the root scope)
is called in a loop. From the first node that needs more, or the first failure, the run is handed
to the ordinary driver over a private memory store, from that node on. So there is still one
engine, and a chain of plain functions costs little more than calling them.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar, cast

from sayiir_core.authoring import Workflow
from sayiir_core.errors import TaskError, WorkflowError
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.instances import Created, NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.observe import Observer
from sayiir_runtime.payloads import CodecChoice, resolve_codec
from sayiir_runtime.run_id import new_run_id
from sayiir_runtime.runner.bodies import BodyRunner
from sayiir_runtime.runner.drive_result import DriveResult
from sayiir_runtime.runner.driver import Driver
from sayiir_runtime.runner.lease import CLAIM_TTL
from sayiir_runtime.runner.lookout import Watch
from sayiir_runtime.runner.program import Program, runnable_program_of
from sayiir_runtime.runner.straight import INSTANCE_ID, Straight

In = TypeVar("In")
Out = TypeVar("Out")


class InProcessRunner:
    """Run workflows in this process alone: nothing is stored, delays are really waited for."""

    def __init__(
        self, *, codec: CodecChoice = None, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        # Nothing is stored, so nothing has to be encrypted.
        self._codec = resolve_codec(codec).unsealed
        self._loop = loop
        self._active: set[BodyRunner] = set()
        self._stopped = False

    def run(self, workflow: Workflow[In, Out], input_data: In) -> Out:
        """Run to the end and return the plain output.

        Raises ``TaskError`` for a task that failed for good, ``TypeError`` for an input that the
        codec cannot store, ``WorkflowError`` for a workflow that waits for signals.
        """
        program = runnable_program_of(workflow, self._codec)
        if program.signals:
            names = ", ".join(map(repr, program.signals))
            raise WorkflowError(
                f"workflow {program.workflow_id!r} waits for signals ({names}), which cannot reach "
                f"a run without a store; use run_durable_workflow with a backend"
            )
        straight = Straight(program, input_data)
        straight.run()
        if straight.finished:
            return cast("Out", straight.output())
        return cast("Out", self._run_rest(program, straight))

    def stop(self) -> None:
        """Make all calls end before their next body."""
        self._stopped = True
        for bodies in list(self._active):
            bodies.stop()

    def _run_rest(self, program: Program, straight: Straight) -> Any:
        backend = InMemoryBackend()
        session = SessionId("in-process")
        backend.sessions.register(
            NewSession(session_id=session, worker_id="in-process", ttl=CLAIM_TTL)
        )
        definition = program.definition
        node = definition.nodes[straight.ordinal]
        new = NewInstance(
            instance_id=INSTANCE_ID,
            run_id=new_run_id(),
            identity=definition.identity,
            policy_fingerprint=definition.policy_fingerprint,
            input=straight.payload(),
            node=node.ordinal,
            group=node.group,
            priority=node.priority,
            owner=session,
        )
        created = backend.instances.create([new])[0]
        assert isinstance(created, Created)
        assert created.claim is not None
        bodies = BodyRunner(loop=self._loop)
        self._active.add(bodies)
        bodies.stopped = bodies.stopped or self._stopped
        try:
            driver = Driver(
                backend,
                program,
                bodies,
                session=session,
                watch=Watch(RunKey(INSTANCE_ID, new.run_id), lambda _: True),
                wait_for_delays=True,
            )
            result = driver.drive(created.claim, failed=straight.failure)
        finally:
            self._active.discard(bodies)
            bodies.close()
        return self._output(backend, program, result, RunKey(INSTANCE_ID, new.run_id))

    def _output(
        self, backend: InMemoryBackend, program: Program, result: DriveResult, run: RunKey
    ) -> Any:
        if result.completed:
            if result.output is not None:
                return result.output.plain(self._codec, run)
            return Observer(backend, self._codec).status(INSTANCE_ID, program.definition).output
        error = backend.instances.load(INSTANCE_ID).header.error
        assert error is not None, "a run without signals ends completed or failed"
        raise TaskError(
            f"task {error.path!r} failed: {error.text}", task_id=error.path.rpartition("/")[2]
        ) from result.errors.get(error.path)
