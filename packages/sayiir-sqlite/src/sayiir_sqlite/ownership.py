"""Ownership: whole instances for runners, whose cursors no pool sees meanwhile."""

from __future__ import annotations

from typing import Final

from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.motion import grant
from sayiir_sqlite.clock import StoreClock, to_micros
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import (
    StoredHead,
    at_rest,
    find_header,
    grant_cursors,
    live_session,
    load_cursors,
    load_head,
    release_cursors,
    update_owner,
)
from sayiir_sqlite.results import attach_inputs
from sayiir_sqlite.sessions import view_session
from sayiir_sqlite.statement import statement

_DUE: Final = statement("cursors_due_of_run")


class SQLiteOwnership:
    """Give instances to sessions and take them back."""

    __slots__ = ("_clock", "_database")

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take the instance unless any other session holds any of it; of two, one wins."""
        with self._database.writing() as handle:
            live_session(handle, session)
            stored = load_head(handle, instance_id)
            in_the_way = control.own(stored.head, session)
            if in_the_way is None:
                update_owner(handle, stored)
                return Owned(stored.head)
            holder = view_session(handle, self._database.locks, in_the_way)
            assert holder is not None
            return Busy(stored.head, holder)

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of a run that the session owns; nothing if it does not."""
        with self._database.writing() as handle:
            stored = _find_owned(handle, run, session)
            if stored is None:
                return []
            number = live_session(handle, session)
            now = self._clock.now()
            stored.add(handle.all(_DUE, (stored.run, to_micros(now))))
            due = control.due_for_owner(stored.head, session, now)[: max(limit, 0)]
            claims = [grant(stored.head, cursor, session, claim_no) for cursor in due]
            grant_cursors(handle, number, [(stored.run, cursor) for cursor in due])
        attach_inputs(self._database, claims)
        return claims

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership of this run and give back every cursor that it holds; repeatable."""
        with self._database.writing() as handle:
            stored = _find_owned(handle, run, session)
            if stored is None:
                return
            load_cursors(handle, stored)
            released = control.disown(stored.head, session)
            release_cursors(handle, stored, released)
            update_owner(handle, stored)
            self._database.hint(at_rest(stored.head))


def _find_owned(handle: Handle, run: RunKey, session: SessionId) -> StoredHead | None:
    """Return the head of this very run without any cursor, None if the session does not own it."""
    stored = find_header(handle, run.instance_id)
    if stored is None:
        return None
    header = stored.head.header
    return stored if header.run_id == run.run_id and header.owner == session else None
