"""Bugs with sessions; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from datetime import timedelta

from broken_stores.making import Broken
from sayiir_core.ids import SessionId
from sayiir_pytest.conformance import (
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
