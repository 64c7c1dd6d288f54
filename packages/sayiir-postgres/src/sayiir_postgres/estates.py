"""Take back what ended sessions hold and own.

This happens after the end of the session was committed, in batches, each of which can be done
again: whoever reaps next finishes what a reaper that died left undone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sayiir_core.ids import SessionId
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, add_known_cursors, changes_over, locked_instances
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.transaction import Transaction
from sayiir_postgres.writes import write

_OWNED_AT_ONCE: Final = 100
_HELD_AT_ONCE: Final = 500

TakeBack = Callable[[Head, SessionId], list[Cursor]]


def settle_all(database: Database, lanes: Lanes) -> None:
    """Take back what every ended session left, and forget those long settled."""
    for session_id, state in database.call("unreleased_sessions"):
        _settle(database, lanes, SessionId(session_id), dead=state == "dead")
    database.call("forget_sessions", now=database.clock.parameter())


def settle(database: Database, lanes: Lanes, session_id: SessionId) -> None:
    """Take back what one session left that ended in good order, or was reaped meanwhile."""
    for found, state in database.call("unreleased_sessions"):
        if found == session_id:
            _settle(database, lanes, session_id, dead=state == "dead")


def _settle(database: Database, lanes: Lanes, session_id: SessionId, *, dead: bool) -> None:
    take_back: TakeBack = control.bereave if dead else _give_up
    while database.run(lambda c: _take_owned(database, c, lanes, session_id, take_back)):
        pass
    while database.run(lambda c: _take_held(database, c, lanes, session_id, take_back)):
        pass
    database.call("mark_released", session=session_id, now=database.clock.parameter())


def _give_up(head: Head, session_id: SessionId) -> list[Cursor]:
    if head.header.owner == session_id:
        return control.disown(head, session_id)
    return control.release(head, session_id)


def _take_owned(
    database: Database,
    connection: Connection,
    lanes: Lanes,
    session_id: SessionId,
    take_back: TakeBack,
) -> bool:
    with database.transaction(connection) as tx:
        parameters = {"session": session_id, "limit": _OWNED_AT_ONCE}
        runs = locked_instances(tx.send("lock_owned_instances", parameters).rows())
        add_known_cursors(runs, _lock_cursors(tx, [run.instance_id for run in runs.values()]))
        for run in runs.values():
            take_back(run.head, session_id)
            run.touch_all()
        write(tx, Changes(runs=list(runs.values())), lanes)
    return len(runs) == _OWNED_AT_ONCE


def _lock_cursors(tx: Transaction, instance_ids: list[Any]) -> list[tuple[Any, ...]]:
    return tx.send("lock_whole", {"instance_ids": instance_ids}).rows() if instance_ids else []


def _take_held(
    database: Database,
    connection: Connection,
    lanes: Lanes,
    session_id: SessionId,
    take_back: TakeBack,
) -> bool:
    with database.transaction(connection) as tx:
        parameters = {"session": session_id, "limit": _HELD_AT_ONCE}
        rows = tx.send("lock_held_cursors", parameters).rows()
        changes = changes_over(rows)
        for run in changes.runs:
            run.touch(take_back(run.head, session_id))
        write(tx, changes, lanes)
    return len(rows) == _HELD_AT_ONCE
