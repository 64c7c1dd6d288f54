"""Bugs with hints; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from broken_stores.making import Broken
from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.wakeup import HintKind
from sayiir_pytest.conformance import WakeupConformance
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints
from sayiir_runtime.memory.claims import MemoryClaims
from sayiir_runtime.memory.control import MemoryControl
from sayiir_runtime.memory.instances import MemoryInstances
from sayiir_runtime.memory.ownership import MemoryOwnership
from sayiir_runtime.memory.sessions import MemorySessions
from sayiir_runtime.memory.signals import MemorySignals
from sayiir_runtime.memory.store import Store
from sayiir_runtime.memory.wakeup import Hints, MemorySubscription, MemoryWakeup, Turn


class BrokenHints(Broken, WakeupConformance):
    """Break what a port says to listeners."""

    hint_quiet = timedelta(0)
    hint_patience = timedelta(seconds=0.05)


@contextmanager
def in_silence(store: Store) -> Iterator[None]:
    """Let nobody hear of what is done meanwhile."""
    listeners, store.hints.listeners = store.hints.listeners, ()
    try:
        yield
    finally:
        store.hints.listeners = listeners


class CreatesInSilence(MemoryInstances):
    def create(self, batch: Any) -> Any:
        with in_silence(self._store):
            return super().create(batch)


class TestCreatesInSilence(BrokenHints):
    port, broken = "instances", CreatesInSilence


class SendsInSilence(MemorySignals):
    def send(self, *signal: Any) -> int:
        with in_silence(self._store):
            return super().send(*signal)


class TestSendsInSilence(BrokenHints):
    port, broken = "signals", SendsInSilence


class CommitsInSilence(MemoryCheckpoints):
    def commit(self, batch: Any) -> Any:
        with in_silence(self._store):
            return super().commit(batch)


class TestCommitsInSilence(BrokenHints):
    port, broken = "checkpoints", CommitsInSilence


class TestFinishesInSilence(BrokenHints):
    port, broken = "checkpoints", CommitsInSilence


class UnpausesInSilence(MemoryControl):
    def unpause(self, instance_id: Any) -> Any:
        with in_silence(self._store):
            return super().unpause(instance_id)


class TestUnpausesInSilence(BrokenHints):
    port, broken = "control", UnpausesInSilence


class RetriesInSilence(MemoryControl):
    def retry(self, instance_id: Any) -> Any:
        with in_silence(self._store):
            return super().retry(instance_id)


class TestRetriesInSilence(BrokenHints):
    port, broken = "control", RetriesInSilence


class CancelsInSilence(MemoryControl):
    def cancel(self, instance_id: Any, **why: Any) -> Any:
        with in_silence(self._store):
            return super().cancel(instance_id, **why)


class TestCancelsInSilence(BrokenHints):
    port, broken = "control", CancelsInSilence


class ReleasesInSilence(MemoryClaims):
    def release(self, leases: Any) -> None:
        with in_silence(self._store):
            super().release(leases)


class TestReleasesInSilence(BrokenHints):
    port, broken = "claims", ReleasesInSilence


class ReleasesCallsInSilence(MemoryClaims):
    def release_claim(self, session: Any, claim_no: int) -> None:
        with in_silence(self._store):
            super().release_claim(session, claim_no)


class TestReleasesCallsInSilence(BrokenHints):
    port, broken = "claims", ReleasesCallsInSilence


class ReconcilesInSilence(MemorySessions):
    def reconcile(self, *what: Any) -> None:
        with in_silence(self._store):
            super().reconcile(*what)


class TestReconcilesInSilence(BrokenHints):
    port, broken = "sessions", ReconcilesInSilence


class EndsInSilence(MemorySessions):
    def end(self, session_id: Any) -> None:
        with in_silence(self._store):
            super().end(session_id)


class TestEndsInSilence(BrokenHints):
    port, broken = "sessions", EndsInSilence


class ReapsInSilence(MemorySessions):
    def reap(self, session_id: Any) -> Any:
        with in_silence(self._store):
            return super().reap(session_id)


class TestReapsInSilence(BrokenHints):
    port, broken = "sessions", ReapsInSilence


class DisownsInSilence(MemoryOwnership):
    def disown(self, session: Any, run: Any) -> None:
        with in_silence(self._store):
            super().disown(session, run)


class TestDisownsInSilence(BrokenHints):
    port, broken = "ownership", DisownsInSilence


class DisownsSleepersInSilence(MemoryOwnership):
    """Tell of what is due now only."""

    def disown(self, session: Any, run: Any) -> None:
        cursors = self._store.run_named(run).head.cursors.values()
        now = self._store.clock.now()
        if any(it.available_at is not None and it.available_at <= now for it in cursors):
            super().disown(session, run)
            return
        with in_silence(self._store):
            super().disown(session, run)


class TestDisownsSleepersInSilence(BrokenHints):
    port, broken = "ownership", DisownsSleepersInSilence


class BrokenSubscriptions(BrokenHints):
    """Break the wake-up port."""

    broken: Callable[[Hints], MemoryWakeup]

    def make_backend(self, clock: Clock, _location: Any) -> Backend:
        backend = InMemoryBackend(clock=clock)
        backend.wakeup = self.broken(backend._store.hints)
        return backend


class TellsTheLastOnly(MemoryWakeup):
    """Let a new subscriber take the place of the others."""

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> MemorySubscription:
        self._hints.listeners = ()
        return super().subscribe(kind, hint)


class TestTellsTheLastOnly(BrokenSubscriptions):
    broken = TellsTheLastOnly


class Restless(MemorySubscription):
    """Go on behind the end."""

    def close(self) -> None:
        pass


class TellsTheClosed(MemoryWakeup):
    """Forget to forget a subscriber."""

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> MemorySubscription:
        subscription = Restless(self._hints, kind, hint)
        self._hints.add(subscription)
        return subscription


class TestTellsTheClosed(BrokenSubscriptions):
    broken = TellsTheClosed


class GivesUpAfterAFailure(MemoryWakeup):
    """Tell nobody anything any more once a hint has failed."""

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> MemorySubscription:
        def guarded() -> None:
            try:
                hint()
            except RuntimeError:
                self._hints.listeners = ()

        return super().subscribe(kind, guarded)


class TestGivesUpAfterAFailure(BrokenSubscriptions):
    broken = GivesUpAfterAFailure


class ListensOnlyWhenOpen(MemoryWakeup):
    """Subscribe in vain before the first use."""

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> MemorySubscription:
        subscription = super().subscribe(kind, hint)
        if not self._hints.claimable._noted:
            self._hints.remove(subscription)
        return subscription


class TestListensOnlyWhenOpen(BrokenSubscriptions):
    broken = ListensOnlyWhenOpen


class MixesTheKindsUp(MemoryWakeup):
    """Take who waits for an end for who waits for work, and the other way round."""

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> MemorySubscription:
        (other,) = set(HintKind) - {kind}
        return super().subscribe(other, hint)


class TestMixesTheKindsUp(BrokenSubscriptions):
    broken = MixesTheKindsUp


class ForgetsOneOfTwoKinds(Hints):
    """Tell of the end of a run only where nothing became claimable."""

    __slots__ = ()

    def tell(self) -> None:
        if self.claimable.take():
            self.ended.take()
            self._tell(HintKind.CLAIMABLE)
        super().tell()


class TestForgetsOneOfTwoKinds(BrokenHints):
    def make_backend(self, clock: Clock, _location: Any) -> Backend:
        backend = InMemoryBackend(clock=clock)
        store = backend._store
        store.hints = ForgetsOneOfTwoKinds()
        store.turn = Turn(store.lock, store.hints)
        backend.wakeup = MemoryWakeup(store.hints)
        return backend


class TestTellsOnlyItsOwnBackend(BrokenHints):
    """Let a second backend use the ports of the first one, but listen to nobody."""

    @pytest.fixture
    def location(self) -> list[InMemoryBackend]:
        """Return the backends that were made."""
        return []

    def make_backend(self, clock: Clock, location: list[InMemoryBackend]) -> Backend:
        backend = InMemoryBackend(clock=clock)
        backend.capabilities = Capabilities(durable=True, shared=True, never_blocks=True)
        for port in ("instances", "checkpoints", "claims", "sessions", "signals"):
            if location:
                setattr(backend, port, getattr(location[0], port))
        location.append(backend)
        return backend
