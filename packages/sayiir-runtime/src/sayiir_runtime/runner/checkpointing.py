"""The runner that owns what it runs and checkpoints every step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.duration import Duration, parse_duration
from sayiir_core.errors import (
    BackendError,
    InstanceBusyError,
    SessionEndedError,
    WorkflowError,
)
from sayiir_core.ids import InstanceId, RunKey, SessionId, check_instance_id
from sayiir_core.policy import ConflictPolicy
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import Created, Exists, InstanceQuery, NewInstance
from sayiir_core.snapshot.answer import LostReason
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.snapshot.status import StatusWord, status_of
from sayiir_runtime.conflict import already_exists, check_definition
from sayiir_runtime.instrumented import instrument_of
from sayiir_runtime.observe import Observer
from sayiir_runtime.payloads import CodecChoice, resolve_codec
from sayiir_runtime.run_id import new_run_id
from sayiir_runtime.runner.bodies import BodyRunner, DriveStoppedError
from sayiir_runtime.runner.chain import Chain
from sayiir_runtime.runner.drive_result import DriveResult
from sayiir_runtime.runner.driver import Driver
from sayiir_runtime.runner.input import Carry
from sayiir_runtime.runner.lease import SessionKeeper, keeper_of
from sayiir_runtime.runner.lookout import Watch
from sayiir_runtime.runner.outlook import is_at_rest
from sayiir_runtime.runner.ownership import Ownerships, run_key
from sayiir_runtime.runner.program import Program, runnable_program_of
from sayiir_runtime.runner.waiting import REAL, Waiting
from sayiir_runtime.status import WorkflowStatus

logger = logging.getLogger("sayiir.runner")

_COMPLETED: Final = StatusWord.COMPLETED.value


class CheckpointingRunner:
    """Run instances in this process, each owned by it while it runs.

    One runner may serve several threads, but each of its calls drives one instance.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        codec: CodecChoice = None,
        keeper: SessionKeeper | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        make_bodies: Callable[[], BodyRunner] | None = None,
        waiting: Waiting = REAL,
    ) -> None:
        self.backend = backend
        self._codec = resolve_codec(codec)
        self._instrument = instrument_of(backend)
        self._keeper = keeper or keeper_of(backend)
        self._make_bodies = make_bodies or (lambda: BodyRunner(loop=loop))
        self._active: set[BodyRunner] = set()
        self._waiting = waiting
        self._ownerships = Ownerships(backend, self._keeper, waiting=waiting)

    def run(
        self,
        workflow: Workflow[Any, Any],
        instance_id: str,
        input: Any,  # noqa: A002 - the word of the public contract
        *,
        conflict_policy: ConflictPolicy | str | None = None,
        labels: dict[str, str] | None = None,
    ) -> WorkflowStatus:
        """Start an instance and run it until it ends or parks.

        Raises ``InstanceAlreadyExistsError`` (policy ``fail``), ``WorkflowError`` for another
        definition, ``TypeError`` for an input that the codec cannot store, ``BackendError``.
        """
        checked = check_instance_id(instance_id)
        policy = ConflictPolicy(conflict_policy) if conflict_policy else ConflictPolicy.FAIL
        program = runnable_program_of(workflow, self._codec, self._instrument)
        key = RunKey(checked, new_run_id())
        payload = program.encode_input(input, key)
        self._keeper.save_definition(program.definition)
        first = program.first
        session = self._keeper.session()
        new = NewInstance(
            checked,
            key.run_id,
            program.identity,
            program.definition.policy_fingerprint,
            payload,
            first.ordinal,
            first.group,
            first.priority,
            session,
            policy is ConflictPolicy.TERMINATE_EXISTING,
            labels or {},
        )
        # Before it exists, so that no other thread finds the run and nobody driving it.
        self._keeper.drives.enter(key)
        try:
            created, session = self._create(new, session)
        except BaseException:
            self._ownerships.abandon(key)
            raise
        if isinstance(created, Created):
            assert created.claim is not None, "a run that is born owned comes with its claim"
            chain = Chain(program, created.claim, Carry(INPUT, payload, input))
            return self._drive(program, key, session, chain)
        self._keeper.drives.leave(key)
        return self._use_existing(program, created.head, policy)

    def resume(
        self,
        workflow: Workflow[Any, Any],
        instance_id: str,
        *,
        wait: Duration | None = None,
    ) -> WorkflowStatus:
        """Continue an instance; returns its status at once if there is nothing to run.

        ``wait`` bounds how long a lease that is no longer renewed is waited out; by default until
        it expires. Raises ``InstanceBusyError`` if another live process runs it,
        ``InstanceNotFoundError``, ``WorkflowError`` for another definition.
        """
        program = runnable_program_of(workflow, self._codec, self._instrument)
        head = self.backend.instances.load(check_instance_id(instance_id))
        self._check_definition(program, head)
        limit = None if wait is None else parse_duration(wait)
        if head.header.state is not InstanceState.RUNNING and head.executing:
            # Nobody resumes such a run, so nobody else may notice that its process is dead.
            self.backend.sessions.reap(self._keeper.session())
            head = self.backend.instances.load(head.header.instance_id)
        if head.header.state is not InstanceState.RUNNING or self._is_parked(head):
            return self._observer.status_of_head(head, program.definition)
        session, owned = self._ownerships.take(head, limit)
        return self._drive(program, run_key(owned), session)

    def retry(self, workflow: Workflow[Any, Any], instance_id: str) -> WorkflowStatus:
        """Revive a failed instance and run it on from what failed, with fresh attempts.

        Raises ``InstanceStateError`` if it has not failed, otherwise as ``resume`` does.
        """
        program = runnable_program_of(workflow, self._codec, self._instrument)
        checked = check_instance_id(instance_id)
        head = self.backend.instances.load(checked)
        self._check_definition(program, head)
        if head.header.state is not InstanceState.FAILED:
            self.backend.control.retry(checked)
            return self.resume(workflow, instance_id)
        # Owned before it is revived: a retry that is refused must not leave it to nobody.
        session, owned = self._ownerships.take(head, limit=None)
        try:
            self.backend.control.retry(checked)
        except BaseException:
            self._ownerships.give_back(run_key(owned), session)
            raise
        return self._drive(program, run_key(owned), session)

    def recover(self, workflows: Iterable[Workflow[Any, Any]]) -> list[WorkflowStatus]:
        """Continue everything of these workflows that is in flight and that nobody runs.

        Returns the status of each instance that was looked at, oldest first. Instances that
        another live process runs are left to it.
        """
        by_identity = {w.definition.identity: w for w in workflows}
        statuses: list[WorkflowStatus] = []
        for instance_id, identity in self._in_flight({i.workflow_id for i in by_identity}):
            workflow = by_identity.get(identity)
            if workflow is None:
                logger.warning("instance %s needs another definition: %s", instance_id, identity)
                continue
            try:
                statuses.append(self.resume(workflow, instance_id))
            except InstanceBusyError as busy:
                logger.info("%s", busy)
            except WorkflowError as error:
                if isinstance(error, BackendError) and error.transient:
                    raise
                logger.warning("instance %s cannot be continued: %s", instance_id, error)
        return statuses

    def stop(self) -> None:
        """Make all calls end before their next body; what they run stays resumable."""
        self._ownerships.stopped = True
        for bodies in list(self._active):
            bodies.stop()

    @property
    def _observer(self) -> Observer:
        return Observer(self.backend, self._codec)

    def _is_parked(self, head: Head) -> bool:
        """Tell whether nothing of a run can go on before a later time or a signal."""
        return status_of(head, self.backend.now()) in {
            StatusWord.WAITING,
            StatusWord.AWAITING_SIGNAL,
        }

    def _in_flight(self, workflow_ids: set[Any]) -> list[tuple[InstanceId, Any]]:
        found: list[tuple[InstanceId, Any]] = []
        for workflow_id in workflow_ids:
            after: str | None = None
            while True:
                page = self.backend.instances.select(
                    InstanceQuery(workflow_id=workflow_id, state=InstanceState.RUNNING, after=after)
                )
                found.extend((header.instance_id, header.identity) for header in page.headers)
                after = page.next
                if after is None:
                    break
        return found[::-1]

    def _create(self, new: NewInstance, session: SessionId) -> tuple[Created | Exists, SessionId]:
        try:
            return self.backend.instances.create([new])[0], session
        except SessionEndedError:
            self._keeper.lost(session)
            new.owner = self._keeper.session()
            return self.backend.instances.create([new])[0], new.owner

    def _use_existing(self, program: Program, head: Head, policy: ConflictPolicy) -> WorkflowStatus:
        instance_id = head.header.instance_id
        if policy is ConflictPolicy.FAIL:
            raise already_exists(
                instance_id,
                status_of(head, self.backend.now()).value,
                stored=head.header.identity,
                ours=program.identity,
            )
        self._check_definition(program, head)
        if head.header.state is not InstanceState.RUNNING:
            return self._observer.status_of_head(head, program.definition)
        try:
            session, owned = self._ownerships.take(head, limit=0.0)
        except InstanceBusyError:
            return self._observer.status(instance_id)
        return self._drive(program, run_key(owned), session)

    def _check_definition(self, program: Program, head: Head) -> None:
        header = head.header
        ours = program.identity
        check_definition(header.instance_id, stored=header.identity, ours=ours)

    def _drive(
        self, program: Program, run: RunKey, session: SessionId, chain: Chain | None = None
    ) -> WorkflowStatus:
        """Drive until the run ends, parks or is lost, and return its status.

        A run that was just created begins with the chain.
        """
        while True:
            result = self._drive_once(program, run, session, chain)
            if result.completed and result.output is not None:
                return WorkflowStatus(
                    instance_id=run.instance_id,
                    run_id=run.run_id,
                    status=_COMPLETED,
                    output=result.output.plain(self._codec, run),
                )
            self._report_loss(result, session, run.instance_id)
            after = self.backend.instances.load(run.instance_id)
            if not self._was_left(after, run, result):
                return self._observer.status_of_head(after, program.definition)
            try:
                session, head = self._ownerships.take(after, limit=0.0)
            except InstanceBusyError:
                return self._observer.status(run.instance_id, program.definition)
            run, chain = run_key(head), None

    def _was_left(self, after: Head, run: RunKey, result: DriveResult) -> bool:
        """Tell whether something became ready while this drive ended, and found nobody.

        Whoever sent a signal or lifted a pause just then was told that this drive has the run.
        """
        header = after.header
        return (
            result.lost is None
            and not self._ownerships.stopped
            and header.run_id == run.run_id
            and header.state is InstanceState.RUNNING
            and header.owner is None
            and not after.executing
            and not is_at_rest(after, self.backend.now())
        )

    def _drive_once(
        self, program: Program, run: RunKey, session: SessionId, chain: Chain | None
    ) -> DriveResult:
        watch = Watch(run, self._is_wanted)
        is_watched = self._keeper.heartbeat is not None
        result = DriveResult()
        try:
            if is_watched:
                self._keeper.lookout.begin(watch)
            if chain is not None:
                watch.inline = chain
                chain.run(self.backend.checkpoints.commit, self.backend.now, self._ownerships)
                watch.inline = None
            end = None if chain is None else chain.end
            if chain is not None and end is not None:
                result.complete(end, chain.carry)
            else:
                result = self._drive_bodies(program, session, watch, chain)
        except DriveStoppedError:
            logger.info("instance %s was stopped; it can be resumed", run.instance_id)
        finally:
            if is_watched:
                self._keeper.lookout.end(watch)
            if result.completed:
                # A completed run has no owner any more.
                self._keeper.drives.leave(run)
            else:
                self._ownerships.give_back(run, session)
        return result

    def _drive_bodies(
        self, program: Program, session: SessionId, watch: Watch, chain: Chain | None
    ) -> DriveResult:
        bodies = self._make_bodies()
        self._active.add(bodies)
        bodies.stopped = bodies.stopped or self._ownerships.stopped
        try:
            driver = Driver(
                self.backend,
                program,
                bodies,
                session=session,
                watch=watch,
                monotonic=self._waiting.monotonic,
            )
            return driver.drive() if chain is None else driver.drive_on(chain)
        finally:
            self._active.discard(bodies)
            bodies.close()

    def _is_wanted(self, run: RunKey) -> bool:
        now = self.backend.instances.load(run.instance_id).header
        return now.run_id == run.run_id and now.state is not InstanceState.CANCELLED

    def _report_loss(
        self, result: DriveResult, session: SessionId, instance_id: InstanceId
    ) -> None:
        if result.lost is LostReason.SESSION_ENDED:
            self._keeper.lost(session)
        elif result.lost is LostReason.REPLACED:
            raise WorkflowError(
                f"instance {instance_id!r} was replaced by a new run (or pruned) while this one "
                f"ran; its later results were refused",
                instance_id=instance_id,
            )
