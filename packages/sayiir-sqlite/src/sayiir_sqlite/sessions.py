"""Sessions: a lease row in the database, and a locked file beside it that proves life at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from sayiir_core.errors import BackendError
from sayiir_core.ids import RunKey, SessionId, pack_index, sanitize_text
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot import control
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_sqlite.claims import give_back
from sayiir_sqlite.clock import StoreClock, span_micros, to_instant
from sayiir_sqlite.connection import Handle, Row
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import (
    StoredHead,
    at_rest,
    header_of_run,
    heads_with,
    is_live,
    release_cursors,
    update_owner,
)
from sayiir_sqlite.lanes import insert_lanes, lanes_of_session
from sayiir_sqlite.liveness import Life, SessionLocks, boot_id, host_name
from sayiir_sqlite.statement import statement

_INSERT: Final = statement("session_insert")
_RENEW: Final = statement("session_renew")
_END: Final = statement("session_end")
_BY_ID: Final = statement("session_row")
_LIVE: Final = statement("sessions_live")
_HELD: Final = statement("cursors_of_session")
_HELD_OF_RUN: Final = statement("cursors_of_session_in_run")
_OWNED: Final = statement("runs_of_owner")

Decision = Callable[[Head, SessionId], list[Cursor]]
"""What the core does to a head whose holder goes; returns the cursors that it released."""


class SessionEntry(NamedTuple):
    """A row of ``sessions``; spans and instants are microseconds."""

    number: int
    session_id: SessionId
    worker_id: str
    host: str
    boot: str
    pid: int
    lock_file: str
    ttl: int
    renewed_at: int
    steady_since: int
    ended_at: int | None

    def life(self, locks: SessionLocks) -> Life:
        """Tell what the lock file proves; that of another host proves nothing here."""
        if self.host == host_name() or (self.boot and self.boot == boot_id()):
            return locks.probe(self.lock_file)
        return Life.UNKNOWN

    def expired(self, now: int) -> bool:
        """Tell whether the lease was not renewed in time."""
        return now - self.renewed_at > self.ttl

    def steady(self, now: int) -> bool:
        """Tell whether it has renewed without a gap for one full ttl, and still does."""
        return not self.expired(now) and now - self.steady_since >= self.ttl


class SQLiteSessions:
    """Register, renew and end sessions; take from the dead."""

    __slots__ = ("_clock", "_database", "_mine")

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock
        self._mine: dict[SessionId, str] = {}

    def register(self, session: NewSession) -> None:
        """Store a live session of this process, after its lock file."""
        session_id = session.session_id
        locks, lock_file = self._database.locks, ""
        try:
            with self._database.writing() as handle:
                if handle.one(_BY_ID, (session_id,)) is not None:
                    raise BackendError(
                        f"session {session_id!r} is registered already; each start of a worker "
                        f"needs a fresh id"
                    )
                # Within the write, which a fork waits for: no child inherits an unknown lock.
                lock_file = locks.take()
                number = handle.execute(_INSERT, self._row(session, lock_file)).lastrowid
                assert number is not None
                insert_lanes(handle, number, session.lanes)
        except BaseException:
            locks.drop(lock_file)
            raise
        self._mine[session_id] = lock_file

    def renew(self, session_id: SessionId) -> bool:
        """Renew the lease, also an expired one; False if the session was reaped or ended."""
        with self._database.writing() as handle:
            lease = {"now": self._clock.micros(), "session_id": session_id}
            return handle.execute(_RENEW, lease).rowcount == 1

    def reconcile(
        self,
        session_id: SessionId,
        held: Sequence[Lease],
        run: RunKey | None = None,
    ) -> None:
        """Give back every cursor under this session that is not listed."""
        numbers = self._database.numbers
        with self._database.writing() as handle:
            number = numbers.session(handle, session_id)
            if number is None:
                return
            if run is None:
                rows = handle.all(_HELD, (number,))
            else:
                run_number = numbers.run(handle, run.run_id, run.instance_id)
                rows = handle.all(_HELD_OF_RUN, (run_number, number))
            listed = {
                (
                    numbers.run(handle, lease.run_id, lease.instance_id),
                    lease.scope,
                    pack_index(lease.index),
                    lease.fence,
                )
                for lease in held
            }
            unlisted = [row for row in rows if _guard(row) not in listed]
            give_back(self._database, handle, session_id, unlisted)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End dead sessions and take back what they hold or own; returns which."""
        with self._database.reading() as handle:
            live = _live_entries(handle)
        proved = {it.session_id for it in live if it.life(self._database.locks) is Life.DISPROVED}
        if not _dead_among(live, session_id, proved, self._clock.micros()):
            self._sweep(live)
            return []
        return [it.session_id for it in self._bury(session_id, proved)]

    def end(self, session_id: SessionId) -> None:
        """End a session in good order and release all that it holds, uncounted; repeatable."""
        with self._database.writing() as handle:
            row = handle.one(_BY_ID, (session_id,))
            if row is not None and is_live(handle, session_id):
                self._end(handle, SessionEntry(*row), _leave)
        self._drop_lock(session_id)

    def end_mine(self) -> None:
        """End the sessions that this process registered; those of its parent are not its own."""
        for session_id, lock_file in list(self._mine.items()):
            if self._database.locks.holds(lock_file):
                self.end(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what is known of a session, None if nothing is."""
        with self._database.reading() as handle:
            return view_session(handle, self._database.locks, session_id)

    def live(self) -> list[SessionView]:
        """Return the sessions that have not ended, by worker id and then session id."""
        with self._database.reading() as handle:
            views = [_view(handle, self._database.locks, it) for it in _live_entries(handle)]
        return sorted(views, key=lambda view: (view.worker_id, view.session_id))

    def _row(self, session: NewSession, lock_file: str) -> Row:
        now = self._clock.micros()
        return (
            session.session_id,
            sanitize_text(session.worker_id),
            host_name(),
            boot_id(),
            os.getpid(),
            lock_file,
            span_micros(session.ttl),
            now,
            now,
        )

    def _bury(self, caller: SessionId, proved: Collection[SessionId]) -> list[SessionEntry]:
        """End who is dead by what is true under the lock; returns them."""
        with self._database.writing() as handle:
            live = _live_entries(handle)
            dead = _dead_among(live, caller, proved, self._clock.micros())
            for it in dead:
                self._end(handle, it, control.bereave)
        for it in dead:
            self._drop_lock(it.session_id)
        self._sweep([it for it in live if it not in dead])
        return dead

    def _end(self, handle: Handle, entry: SessionEntry, decide: Decision) -> None:
        handle.execute(_END, (self._clock.micros(), entry.number))
        heads = {it.run: it for it in heads_with(handle, handle.all(_HELD, (entry.number,)))}
        for (run,) in handle.all(_OWNED, (entry.number,)):
            if run not in heads:
                heads[run] = header_of_run(handle, run)
        for stored in heads.values():
            self._database.hint(at_rest(stored.head))
            _take_back(handle, stored, entry.session_id, decide)

    def _drop_lock(self, session_id: SessionId) -> None:
        lock_file = self._mine.pop(session_id, None)
        if lock_file is not None:
            self._database.locks.drop(lock_file)

    def _sweep(self, live: Sequence[SessionEntry]) -> None:
        self._database.locks.sweep({it.lock_file for it in live})


def view_session(handle: Handle, locks: SessionLocks, session_id: SessionId) -> SessionView | None:
    """Return what others see of a session, None if nothing is known of it."""
    row = handle.one(_BY_ID, (session_id,))
    return None if row is None else _view(handle, locks, SessionEntry(*row))


def _view(handle: Handle, locks: SessionLocks, entry: SessionEntry) -> SessionView:
    alive = entry.ended_at is None
    return SessionView(
        session_id=entry.session_id,
        worker_id=entry.worker_id,
        host=entry.host,
        pid=entry.pid,
        ttl=timedelta(0, 0, entry.ttl),
        renewed_at=to_instant(entry.renewed_at),
        alive=alive,
        proved_alive=alive and entry.life(locks) is Life.PROVED,
        lanes=lanes_of_session(handle, entry.number),
    )


def _live_entries(handle: Handle) -> list[SessionEntry]:
    return [SessionEntry(*row) for row in handle.all(_LIVE)]


def _dead_among(
    live: Sequence[SessionEntry], caller: SessionId, proved: Collection[SessionId], now: int
) -> list[SessionEntry]:
    steady = any(it.session_id == caller and it.steady(now) for it in live)
    return [
        it
        for it in live
        if it.session_id != caller and (it.session_id in proved or (steady and it.expired(now)))
    ]


def _take_back(handle: Handle, stored: StoredHead, session_id: SessionId, decide: Decision) -> None:
    header = stored.head.header
    owner = header.owner
    release_cursors(handle, stored, decide(stored.head, session_id))
    if header.owner != owner:
        update_owner(handle, stored)


def _leave(head: Head, session: SessionId) -> list[Cursor]:
    if head.header.owner == session:
        return control.disown(head, session)
    return control.release(head, session)


def _guard(row: Row) -> tuple[int, int, bytes, int]:
    return row[0], row[1], row[2], row[19]
