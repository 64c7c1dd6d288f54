"""Bugs with sessions; the names of the ports' methods say what they do."""

# ruff: noqa: ARG002, D102

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from broken_stores.making import Broken
from broken_stores.ownership import latest
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.effect import Lease
from sayiir_pytest.conformance import (
    EquivalenceConformance,
    SessionConformance,
)
from sayiir_runtime.memory.sessions import MemorySessions


class BrokenSessions(Broken):
    """Break the session port."""

    port = "sessions"


class ReapsBeforeItIsSteady(MemorySessions):
    """Believe at once that whoever seems late is dead."""

    def reap(self, session_id: SessionId) -> list[SessionId]:
        caller = self._store.sessions.get(session_id)
        if caller is not None and caller.alive:
            caller.steady_since -= timedelta(days=1)
        return super().reap(session_id)


class TestReapsBeforeItIsSteady(BrokenSessions, SessionConformance):
    broken = ReapsBeforeItIsSteady


class EndsExpiredSessions(MemorySessions):
    """Refuse the renewal of a lease that has expired, though nobody reaped it."""

    def renew(self, session_id: SessionId) -> bool:
        session = self._store.sessions.get(session_id)
        now = self._store.clock.now()
        if session is not None and now - session.renewed_at > session.new.ttl:
            return False
        return super().renew(session_id)


class TestEndsExpiredSessions(BrokenSessions, SessionConformance):
    broken = EndsExpiredSessions


class ForgetsLanes(MemorySessions):
    """Register a session without what it serves."""

    def register(self, session: NewSession) -> None:
        super().register(replace(session, lanes=()))


class TestForgetsLanes(BrokenSessions, SessionConformance):
    broken = ForgetsLanes


class TestForgetsLanesInGeneral(BrokenSessions, EquivalenceConformance):
    broken = ForgetsLanes


class ListsTheEnded(MemorySessions):
    """List every session that ever was."""

    def live(self) -> list[SessionView]:
        views = [session.view() for session in self._store.sessions.values()]
        return sorted(views, key=lambda view: (view.worker_id, view.session_id))


class TestListsTheEnded(BrokenSessions, SessionConformance):
    broken = ListsTheEnded


class OmitsTheLate(MemorySessions):
    """Take whoever has let a lease expire for dead."""

    def live(self) -> list[SessionView]:
        now = self._store.clock.now()
        return [view for view in super().live() if now - view.renewed_at <= view.ttl]


class TestOmitsTheLate(BrokenSessions, SessionConformance):
    broken = OmitsTheLate


class ListsByLanguage(MemorySessions):
    """Order names as a dictionary does, by letters first and by case last."""

    def live(self) -> list[SessionView]:
        return sorted(super().live(), key=lambda it: (it.worker_id.casefold(), it.session_id))


class TestListsByLanguage(BrokenSessions, SessionConformance):
    broken = ListsByLanguage


class ReconcilesByInstance(MemorySessions):
    """Give back what is held of whatever run the instance has now."""

    def reconcile(
        self, session_id: SessionId, held: Sequence[Lease], run: RunKey | None = None
    ) -> None:
        named = None if run is None else latest(self._store, run)
        super().reconcile(session_id, held, named)


class TestReconcilesByInstance(BrokenSessions, SessionConformance):
    broken = ReconcilesByInstance


class ReconcilesEveryRun(MemorySessions):
    """Ignore that one run was named."""

    def reconcile(
        self, session_id: SessionId, held: Sequence[Lease], run: RunKey | None = None
    ) -> None:
        super().reconcile(session_id, held)


class TestReconcilesEveryRun(BrokenSessions, SessionConformance):
    broken = ReconcilesEveryRun
