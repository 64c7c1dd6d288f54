"""The ports that a simulated worker calls, each looked at by a watch."""

# ruff: noqa: D102 - the names of the ports' methods say what they do

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.answer import Answer, Claim
from sayiir_core.snapshot.effect import Checkpoint, Lease
from sayiir_core.snapshot.head import Head, Lane, PendingSignal
from sayiir_pytest.fleet.watch import Watch

Ids = Callable[[], Collection[InstanceId]]


class Eyes:
    """What a watch sees of the store; ``ids`` returns the instances of the simulation."""

    def __init__(self, backend: Backend, watch: Watch, ids: Ids) -> None:
        self.backend = backend
        self.watch = watch
        self._ids = ids

    def heads(self) -> dict[InstanceId, Head]:
        """Return copies of all heads."""
        found: dict[InstanceId, Head] = {}
        for instance_id in self._ids():
            try:
                found[instance_id] = self.backend.instances.load(instance_id)
            except InstanceNotFoundError:
                continue
        return found


class WatchedCheckpoints:
    """A checkpoint port that checks what it stores."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        # One by one, which means the same, so that each can be looked at.
        return [self._commit(checkpoint) for checkpoint in batch]

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

    def __init__(self, backend: Backend, watch: Watch, ids: Ids) -> None:
        self._inner = backend
        self.eyes = eyes = Eyes(backend, watch, ids)
        self.capabilities = backend.capabilities
        self.epoch = 0
        self.instances = backend.instances
        self.definitions = backend.definitions
        self.ownership = backend.ownership
        self.signals = WatchedSignals(eyes)
        self.control = backend.control
        self.results = backend.results
        self.wakeup = backend.wakeup
        self.checkpoints = WatchedCheckpoints(eyes)
        self.claims = WatchedClaims(eyes)
        self.sessions = WatchedSessions(eyes)

    def now(self) -> datetime:
        return self._inner.now()

    def open(self) -> None:
        self._inner.open()

    def close(self) -> None:
        self._inner.close()
