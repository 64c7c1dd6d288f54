"""The ports of a backend that tell what they did; each passes its calls on and tells afterwards."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.checkpoints import CheckpointStore
from sayiir_core.ports.claims import Backlog, ClaimStore
from sayiir_core.ports.control import ControlStore
from sayiir_core.ports.definitions import DefinitionStore
from sayiir_core.ports.instances import (
    Created,
    Exists,
    InstancePage,
    InstanceQuery,
    InstanceStore,
    NewInstance,
)
from sayiir_core.ports.ownership import Busy, Owned, OwnershipStore
from sayiir_core.ports.sessions import NewSession, SessionStore, SessionView
from sayiir_core.ports.signals import SignalStore
from sayiir_core.ports.telemetry import (
    ClaimAnswered,
    LeaseLost,
    LeaseRenewed,
    Request,
    RunCreated,
    RunPlace,
    RunRequested,
    SessionReaped,
    SessionStarted,
    SignalSent,
)
from sayiir_core.snapshot.answer import Answer, Claim
from sayiir_core.snapshot.effect import Checkpoint, Lease
from sayiir_core.snapshot.head import Head, Header, Lane, PendingSignal
from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_runtime.telemetry.instrument import Instrument
from sayiir_runtime.telemetry.teller import Teller


class ObservedInstances:
    """Tell which runs are created, and give them the trace of their caller."""

    def __init__(self, port: InstanceStore, teller: Teller, instrument: Instrument) -> None:
        self._port = port
        self._teller = teller
        self._instrument = instrument

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create runs; those without a trace get that of the caller."""
        runs = [RunPlace(n.identity.workflow_id, n.instance_id, n.run_id) for n in batch]
        token, parent = self._instrument.submit(runs)
        if parent is not None:
            batch = [
                new if new.trace_parent is not None else replace(new, trace_parent=parent)
                for new in batch
            ]
        try:
            answers, _ = self._teller.timed("instances.create", lambda: self._port.create(batch))
        except BaseException as error:
            self._instrument.leave(token, error)
            raise
        self._instrument.leave(token, None)
        self._teller.tell(self._tell, batch, answers)
        return answers

    def _tell(self, batch: Sequence[NewInstance], answers: Sequence[Created | Exists]) -> None:
        now = self._teller.now()
        for new, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Created):
                self._teller.scribe.book.note(new.run_id, new.identity)
                run = RunPlace(new.identity.workflow_id, new.instance_id, new.run_id)
                self._teller.emit(RunCreated(now, run, new.trace_parent))
                if answer.claim is not None:
                    self._teller.claimed((answer.claim,), now)

    def load(self, instance_id: InstanceId) -> Head:
        """Return the head of an instance."""
        return self._port.load(instance_id)

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return headers."""
        return self._port.headers(instance_ids)

    def select(self, query: InstanceQuery) -> InstancePage:
        """Return a page of headers."""
        return self._port.select(query)

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove old runs."""
        return self._port.prune(finished_before=finished_before, limit=limit)


class ObservedDefinitions:
    """Learn the definitions that pass by, for the paths of their nodes."""

    def __init__(self, port: DefinitionStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    def save(self, definition: Definition) -> None:
        """Store a definition."""
        self._port.save(definition)
        self._teller.scribe.book.learn(definition)

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return a definition."""
        return self._port.find(identity)


class ObservedCheckpoints:
    """Tell what is stored, and what is refused."""

    def __init__(self, port: CheckpointStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Apply checkpoints."""
        teller, began = self._teller, time.perf_counter()
        try:
            answers = self._port.commit(batch)
        except BackendError as error:
            teller.failed("checkpoints.commit", error)
            raise
        teller.tell(teller.committed, batch, answers, time.perf_counter() - began)
        return answers


class ObservedClaims:
    """Tell what pools take."""

    def __init__(self, port: ClaimStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    @property
    def aging_interval(self) -> timedelta:
        """Return how much waiting one step of priority is worth."""
        return self._port.aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim due cursors."""
        claims, duration = self._teller.timed(
            "claims.claim", lambda: self._port.claim(session, claim_no, lanes, limit)
        )
        teller, now = self._teller, self._teller.now()
        teller.emit(ClaimAnswered(now, session, limit, len(claims), duration))
        teller.tell(teller.claimed, claims, now)
        return claims

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when something is due."""
        return self._port.next_due(lanes)

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return what waits."""
        return self._port.backlog(lanes, at_most=at_most)

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back what a call claimed."""
        self._port.release_claim(session, claim_no)

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors."""
        self._teller.timed("claims.release", lambda: self._port.release(leases))
        teller = self._teller
        teller.tell(teller.released, leases)


class ObservedOwnership:
    """Tell what runners take."""

    def __init__(self, port: OwnershipStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take an instance."""
        return self._port.own(session, instance_id)

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of an owned run."""
        claims, _ = self._teller.timed(
            "ownership.claim_owned", lambda: self._port.claim_owned(session, claim_no, run, limit)
        )
        teller = self._teller
        teller.tell(teller.claimed, claims, teller.now())
        return claims

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End an ownership."""
        self._port.disown(session, run)


class ObservedSessions:
    """Tell of leases: begun, renewed, lost, and taken from the dead."""

    def __init__(self, port: SessionStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    def register(self, session: NewSession) -> None:
        """Store a session."""
        self._teller.timed("sessions.register", lambda: self._port.register(session))
        started = SessionStarted(
            self._teller.now(), session.session_id, session.worker_id, session.ttl
        )
        self._teller.emit(started)

    def renew(self, session_id: SessionId) -> bool:
        """Renew a lease."""
        alive, duration = self._teller.timed("sessions.renew", lambda: self._port.renew(session_id))
        now = self._teller.now()
        self._teller.emit(
            LeaseRenewed(now, session_id, duration) if alive else LeaseLost(now, session_id)
        )
        return alive

    def reconcile(
        self, session_id: SessionId, held: Sequence[Lease], run: RunKey | None = None
    ) -> None:
        """Give back what is not listed."""
        self._port.reconcile(session_id, held, run)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End dead sessions."""
        dead, _ = self._teller.timed("sessions.reap", lambda: self._port.reap(session_id))
        for session in dead:
            self._teller.emit(SessionReaped(self._teller.now(), session_id, session))
        return dead

    def end(self, session_id: SessionId) -> None:
        """End a session in good order."""
        self._port.end(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what is known of a session."""
        return self._port.view(session_id)

    def live(self) -> list[SessionView]:
        """Return the live sessions."""
        return self._port.live()


class ObservedSignals:
    """Tell which signals are sent."""

    def __init__(self, port: SignalStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Send a signal."""
        number, _ = self._teller.timed(
            "signals.send", lambda: self._port.send(instance_id, name, payload)
        )
        self._teller.emit(SignalSent(self._teller.now(), instance_id, name, len(payload)))
        return number

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed."""
        return self._port.pending(instance_id)

    def expire(self, *, received_before: datetime, limit: int) -> int:
        """Remove old signals."""
        return self._port.expire(received_before=received_before, limit=limit)


class ObservedControl:
    """Tell which requests are accepted."""

    def __init__(self, port: ControlStore, teller: Teller) -> None:
        self._port = port
        self._teller = teller

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel a run."""
        return self._told(Request.CANCEL, self._port.cancel(instance_id, reason=reason, by=by))

    def pause(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Pause a run."""
        return self._told(Request.PAUSE, self._port.pause(instance_id, reason=reason, by=by))

    def unpause(self, instance_id: InstanceId) -> Head:
        """Release what a pause holds."""
        return self._told(Request.UNPAUSE, self._port.unpause(instance_id))

    def retry(self, instance_id: InstanceId) -> Head:
        """Revive a failed run."""
        return self._told(Request.RETRY, self._port.retry(instance_id))

    def _told(self, request: Request, head: Head) -> Head:
        header = head.header
        run = RunPlace(header.identity.workflow_id, header.instance_id, header.run_id)
        self._teller.emit(RunRequested(self._teller.now(), run, request))
        return head
