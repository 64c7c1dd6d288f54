"""The engine of a test: it runs workflows on the test's own thread, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sayiir_core.authoring import Workflow
from sayiir_core.duration import Duration, to_timedelta
from sayiir_core.errors import WorkflowError
from sayiir_core.ids import InstanceId, check_instance_id
from sayiir_core.policy import ConflictPolicy
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.head import Head
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.binding import AnyWorkflow, Binding, Target
from sayiir_pytest.engine.call import MISSING
from sayiir_pytest.engine.errors import StubError
from sayiir_pytest.engine.instance import Instance
from sayiir_pytest.engine.journal import Journal, shortened
from sayiir_pytest.engine.outcome import read_outcomes
from sayiir_pytest.engine.stage import Stage
from sayiir_pytest.engine.stub import Spy, Stub
from sayiir_runtime.client.client import WorkflowClient
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.gate import built_workflow, checked_backend
from sayiir_runtime.payloads import default_codec

In = TypeVar("In")
Policy = ConflictPolicy | str | None

_TOLERANCE: Final = timedelta(seconds=1)


class Engine:
    """Run instances over a backend that tells the time by a virtual clock.

    Nothing happens in the background: whatever runs, runs inside of a call of this object, on the
    thread of the caller. ``started`` are the instances that it has started, with their inputs. Use
    it as a context manager, or ``close`` it, which ends its stubs, too.
    Raises ``ValueError`` for a backend that tells another time.
    """

    def __init__(
        self, backend: Backend, clock: VirtualClock, *, codec: PayloadCodec | None = None
    ) -> None:
        self.backend: Final = checked_backend(backend)
        self.clock: Final = clock
        self.codec: Final = codec or default_codec()
        if abs(backend.now() - clock.now()) > _TOLERANCE:
            raise ValueError(
                f"the backend says it is {backend.now()}, and the clock {clock.now()}: build the "
                f"backend with clock=sayiir_clock, or waiting would take real time"
            )
        self.client: Final = WorkflowClient(backend, codec=self.codec)
        self.started: Final[list[tuple[Instance, Any]]] = []
        self.journal: Final = Journal(clock.now, self.codec.decode)
        self._stage = Stage(backend, clock, self.codec, self.journal)
        self._timeline = self._stage.timeline
        self._numbers = Counter[str]()

    # Running.

    def run(
        self,
        workflow: Workflow[In, Any],
        input: In,  # noqa: A002 - the word of the public contract
        instance_id: str | None = None,
        *,
        conflict_policy: Policy = None,
    ) -> Instance:
        """Start an instance and run it to its end, skipping whatever it waits for.

        It stops before the end where only a signal without a deadline, or an unpause, can help;
        the status says so. Raises what ``WorkflowClient.submit`` raises.
        """
        self.serve(workflow)
        self._stage.check_caller()
        instance = self._submit(workflow, input, instance_id, conflict_policy)
        self._stage.drive(self._timeline.until_ended(InstanceId(instance.instance_id)))
        return instance

    async def run_async(
        self,
        workflow: Workflow[In, Any],
        input: In,  # noqa: A002 - as above
        instance_id: str | None = None,
        *,
        conflict_policy: Policy = None,
    ) -> Instance:
        """Run like ``run``, with async tasks on the running loop."""
        self._stage.caller_loop()
        instance = self._submit(workflow, input, instance_id, conflict_policy)
        await self._stage.drive_async(self._timeline.until_ended(InstanceId(instance.instance_id)))
        return instance

    def start(
        self,
        workflow: Workflow[In, Any],
        input: In,  # noqa: A002 - as above
        instance_id: str | None = None,
        *,
        conflict_policy: Policy = None,
    ) -> Instance:
        """Start an instance and run it until it has ended or is parked at a delay or a signal."""
        self.serve(workflow)
        self._stage.check_caller()
        instance = self._submit(workflow, input, instance_id, conflict_policy)
        self.run_until_parked()
        return instance

    async def start_async(
        self,
        workflow: Workflow[In, Any],
        input: In,  # noqa: A002 - as above
        instance_id: str | None = None,
        *,
        conflict_policy: Policy = None,
    ) -> Instance:
        """Start like ``start``, with async tasks on the running loop."""
        self._stage.caller_loop()
        instance = self._submit(workflow, input, instance_id, conflict_policy)
        await self.run_until_parked_async()
        return instance

    def run_until_parked(self) -> None:
        """Go on with everything until each instance has ended or is parked; back-offs are skipped."""
        self._stage.drive(self._timeline.until_parked)

    async def run_until_parked_async(self) -> None:
        """Go on like ``run_until_parked``, with async tasks on the running loop."""
        await self._stage.drive_async(self._timeline.until_parked)

    def advance(self, by: Duration) -> datetime:
        """Let virtual time pass, with all that is due on the way, and return the new instant."""
        target = self.clock.now() + to_timedelta(by)
        self._stage.drive(self._timeline.until(target))
        return self.clock.now()

    async def advance_async(self, by: Duration) -> datetime:
        """Let time pass like ``advance``, with async tasks on the running loop."""
        target = self.clock.now() + to_timedelta(by)
        await self._stage.drive_async(self._timeline.until(target))
        return self.clock.now()

    def serve(self, *workflows: AnyWorkflow) -> None:
        """Take on instances of these workflows that others submit to the backend.

        Nothing runs before the next call that drives.
        """
        for workflow in workflows:
            self._stage.know(built_workflow(workflow))

    def instance(self, instance_id: str) -> Instance:
        """Return an instance of a served workflow; raises ``InstanceNotFoundError``.

        Raises ``WorkflowError`` for one of a workflow that the engine was not given.
        """
        identity = self.head(instance_id).header.identity
        workflow = self._stage.workflow(identity)
        if workflow is not None:
            return Instance(self, workflow, instance_id)
        raise WorkflowError(
            f"instance {instance_id!r} is of workflow {identity}, which this engine does not know; "
            f"call engine.serve(workflow) first",
            instance_id=instance_id,
        )

    # Stubs and spies.

    def stub(
        self,
        task: Target,
        stand_in: Callable[..., Any] | None = None,
        *,
        returns: Any = MISSING,
        raises: Any = None,
        takes: Duration = 0,
        workflow: AnyWorkflow | None = None,
    ) -> Stub:
        """Let something stand in for a task from now on, in this engine alone.

        ``task`` is its function (then all tasks that call it) or its path. Give one of: ``stand_in``,
        a function of the task's signature; ``returns``, a value; ``raises``, an exception, its class,
        or a list of outcomes in turn (exceptions, ``ok(value)``, ``HANGS``) of which the last one
        stays. ``takes`` is how long a call lasts in virtual time. ``workflow`` restricts it to one.
        Raises ``StubError`` for what cannot stand in, ``NodeLookupError`` that lists the tasks if
        there is no such one: at once with ``workflow``, else when the engine next runs something.
        """
        outcomes = read_outcomes(returns, raises, takes)
        chosen = stand_in if outcomes is None else outcomes
        if chosen is None or (stand_in is not None and outcomes is not None):
            raise StubError(
                f"a stub for {_name_of(task)} needs exactly one of: a function that stands in, "
                f"returns=, raises="
            )
        if stand_in is not None and not callable(stand_in):
            raise StubError(
                f"the stand-in for {_name_of(task)} is no function but {stand_in!r:.80}; for a call "
                f"that returns it write returns={stand_in!r:.40}"
            )
        stub = Stub(_name_of(task), self.clock.now, chosen, to_timedelta(takes))
        self._stage.add(Binding(task, stub, workflow), stand_in)
        return stub

    def spy(self, task: Target, *, workflow: AnyWorkflow | None = None) -> Spy:
        """Watch the calls of a task, or of the stub that stands in for it.

        Addresses tasks and raises as ``stub`` does.
        """
        spy = Spy(_name_of(task), self.clock.now)
        self._stage.add(Binding(task, spy, workflow))
        return spy

    # The end.

    def close(self) -> None:
        """Give back what runs, and end the session; repeatable."""
        self._stage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # What instances ask.

    def head(self, instance_id: str) -> Head:
        """Return the stored head; raises ``InstanceNotFoundError``."""
        return self.backend.instances.load(check_instance_id(instance_id))

    def history_lines(self, head: Head) -> list[str]:
        """Return the history of an instance of a served workflow, line by line, else nothing."""
        workflow = self._stage.workflow(head.header.identity)
        known = None if workflow is None else Instance(self, workflow, head.header.instance_id)
        return [] if known is None else known.history.lines

    def check_caller(self) -> None:
        """Raise ``WorkflowError`` where only an ``_async`` form can go on."""
        self._stage.check_caller()

    def check_async_caller(self) -> None:
        """Raise ``WorkflowError`` where only a blocking form can go on."""
        self._stage.caller_loop()

    def stubs(self, workflow: AnyWorkflow) -> list[str]:
        """Return the paths of the tasks of a served workflow that stubs stand in for."""
        return self._stage.stubs(workflow)

    def _submit(
        self, workflow: AnyWorkflow, value: Any, instance_id: str | None, policy: Policy
    ) -> Instance:
        self.serve(workflow)
        self._stage.check()
        if instance_id is None:
            self._numbers[workflow.workflow_id] += 1
            instance_id = f"{workflow.workflow_id}-{self._numbers[workflow.workflow_id]}"
        handle = self.client.submit(workflow, instance_id, value, conflict_policy=policy)
        self.journal.note(handle.run.run_id, f"started with {shortened(repr(value))}")
        instance = Instance(self, workflow, instance_id)
        self.started.append((instance, value))
        return instance


def _name_of(task: Target) -> str:
    return repr(task if isinstance(task, str) else getattr(task, "__qualname__", task))
