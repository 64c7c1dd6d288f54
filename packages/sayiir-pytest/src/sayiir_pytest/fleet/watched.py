"""The ports that a simulated worker calls, each looked at by a watch."""

# ruff: noqa: D102 - the names of the ports' methods say what they do

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sayiir_core.errors import BackendError, InstanceNotFoundError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.claims import Backlog
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.answer import Answer, Claim, Refused
from sayiir_core.snapshot.effect import Checkpoint, Lease, Record
from sayiir_core.snapshot.head import Head, Lane, PendingSignal
from sayiir_core.snapshot.step import StepRecord
from sayiir_pytest.fleet.watch import Watch

Ids = Callable[[], Collection[InstanceId]]


class Luck(Protocol):
    """Which rows the store does not take."""

    def breaks(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the store fails on this row at the moment, and on all beside it."""
        ...

    def refuses(self, checkpoint: Checkpoint, step: StepRecord) -> bool:
        """Tell whether the store can never hold this row."""
        ...


class Eyes:
    """What a watch sees of the store; ``ids`` returns the instances of the simulation."""

    def __init__(self, backend: Backend, watch: Watch, ids: Ids) -> None:
        self.backend = backend
        self.watch = watch
        self._ids = ids

    def head(self, instance_id: InstanceId) -> Head | None:
        """Return a copy of the head of an instance, None if it does not exist yet."""
        try:
            return self.backend.instances.load(instance_id)
        except InstanceNotFoundError:
            return None

    def heads(self) -> dict[InstanceId, Head]:
        """Return copies of all heads."""
        found: dict[InstanceId, Head] = {}
        for instance_id in self._ids():
            head = self.head(instance_id)
            if head is not None:
                found[instance_id] = head
        return found


class WatchedCheckpoints:
    """A checkpoint port that checks what it stores, and does not take what has bad luck."""

    def __init__(self, eyes: Eyes, luck: Luck) -> None:
        self._eyes = eyes
        self._luck = luck

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        for checkpoint in batch:
            if self._luck.breaks(checkpoint):
                self._eyes.watch.limits.row_broke(checkpoint, len(batch))
                raise BackendError("a row of the batch cannot be stored (simulated)")
        # One by one, which means the same, so that each can be looked at.
        return [self._refusal(checkpoint) or self._commit(checkpoint) for checkpoint in batch]

    def _refusal(self, checkpoint: Checkpoint) -> Refused | None:
        record = checkpoint.effects[0]
        if not isinstance(record, Record) or not self._luck.refuses(checkpoint, record.step):
            return None
        self._eyes.watch.limits.row_refused(checkpoint, record.step.node, record.step.turns)
        return Refused("the output is too large (simulated)")

    def _commit(self, checkpoint: Checkpoint) -> Answer:
        backend, instance_id = self._eyes.backend, checkpoint.lease.instance_id
        before = backend.instances.load(instance_id)
        (answer,) = backend.checkpoints.commit([checkpoint])
        after = backend.instances.load(instance_id)
        self._eyes.watch.committed(checkpoint, answer, before, after)
        return answer


class WatchedClaims:
    """A claim port that checks what it gives."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._inner = eyes.backend.claims

    @property
    def aging_interval(self) -> timedelta:
        return self._inner.aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        now, before = self._eyes.backend.now(), self._eyes.heads()
        claims = self._inner.claim(session, claim_no, lanes, limit)
        self._eyes.watch.claimed(claims, lanes, now, before)
        return claims

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        return self._inner.next_due(lanes)

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        return self._inner.backlog(lanes, at_most=at_most)

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        self._inner.release_claim(session, claim_no)

    def release(self, leases: Sequence[Lease]) -> None:
        self._inner.release(leases)


class WatchedSessions:
    """A session port that checks who is called dead, and who is charged with it."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._inner = eyes.backend.sessions

    def register(self, session: NewSession) -> None:
        if self._inner.view(session.session_id) is not None:
            # Sent twice: its name is its key, and a store refuses to have that twice.
            return
        before = {view.session_id for view in self._inner.live()}
        self._inner.register(session)
        self._eyes.watch.registered(before, {view.session_id for view in self._inner.live()})

    def renew(self, session_id: SessionId) -> bool:
        return self._inner.renew(session_id)

    def reconcile(
        self, session_id: SessionId, held: Sequence[Lease], run: RunKey | None = None
    ) -> None:
        self._inner.reconcile(session_id, held, run)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        now, before = self._eyes.backend.now(), self._eyes.heads()
        views = {view.session_id: view for view in self._inner.live()}
        dead = self._inner.reap(session_id)
        if dead:
            self._eyes.watch.reaped([views[one] for one in dead], now)
            self._eyes.watch.bereaved(dead, before.values(), self._eyes.heads())
        return dead

    def end(self, session_id: SessionId) -> None:
        self._eyes.watch.left(session_id, self._eyes.heads().values())
        self._inner.end(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        return self._inner.view(session_id)

    def live(self) -> list[SessionView]:
        return self._inner.live()


class WatchedInstances:
    """An instance port that checks what a new run begins with."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._inner = eyes.backend.instances
        self.load = self._inner.load
        self.headers = self._inner.headers
        self.select = self._inner.select
        self.prune = self._inner.prune

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        before = [self._eyes.head(new.instance_id) for new in batch]
        answers = self._inner.create(batch)
        for new, former, answer in zip(batch, before, answers, strict=True):
            if isinstance(answer, Created):
                after = self._inner.load(new.instance_id)
                self._eyes.watch.requests.created(new, former, after)
        return answers


class WatchedControl:
    """A control port that checks what a retry does."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._inner = eyes.backend.control
        self.cancel = self._inner.cancel
        self.pause = self._inner.pause
        self.unpause = self._inner.unpause

    def retry(self, instance_id: InstanceId) -> Head:
        before = self._eyes.backend.instances.load(instance_id)
        after = self._inner.retry(instance_id)
        self._eyes.watch.requests.retried(before, after)
        return after


class WatchedOwnership:
    """An ownership port that checks whom it gives what."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._inner = eyes.backend.ownership

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        before = self._eyes.backend.instances.load(instance_id)
        answer = self._inner.own(session, instance_id)
        self._eyes.watch.requests.asked(session, before, answer)
        return answer

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        now = self._eyes.backend.now()
        before = self._eyes.backend.instances.load(run.instance_id)
        claims = self._inner.claim_owned(session, claim_no, run, limit)
        self._eyes.watch.requests.claimed_owned(session, run, claims, before, now)
        for claim in claims:
            self._eyes.watch.granted(claim)
        return claims

    def disown(self, session: SessionId, run: RunKey) -> None:
        before = self._eyes.head(run.instance_id)
        self._inner.disown(session, run)
        after = self._eyes.head(run.instance_id)
        self._eyes.watch.requests.disowned(session, run, before, after)


class WatchedSignals:
    """The sending of signals, checked."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        before = self._eyes.heads().get(instance_id)
        now = self._eyes.backend.now()
        number = self._eyes.backend.signals.send(instance_id, name, payload)
        if before is not None:
            self._eyes.watch.sent(before, self._eyes.heads()[instance_id], now)
        return number

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        return self._eyes.backend.signals.pending(instance_id)

    def expire(self, *, received_before: datetime, limit: int) -> int:
        return self._eyes.backend.signals.expire(received_before=received_before, limit=limit)


class WatchedBackend:
    """A backend whose calls of workers are looked at."""

    def __init__(self, backend: Backend, watch: Watch, ids: Ids, luck: Luck) -> None:
        self._inner = backend
        self.eyes = eyes = Eyes(backend, watch, ids)
        self.capabilities = backend.capabilities
        self.epoch = 0
        self.instances = WatchedInstances(eyes)
        self.definitions = backend.definitions
        self.ownership = WatchedOwnership(eyes)
        self.signals = WatchedSignals(eyes)
        self.control = WatchedControl(eyes)
        self.results = backend.results
        self.wakeup = backend.wakeup
        self.checkpoints = WatchedCheckpoints(eyes, luck)
        self.claims = WatchedClaims(eyes)
        self.sessions = WatchedSessions(eyes)

    def now(self) -> datetime:
        return self._inner.now()

    def open(self) -> None:
        self._inner.open()

    def close(self) -> None:
        self._inner.close()
