"""Heads: load the rows that a decision needs, and write back what it changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sayiir_core.errors import InstanceNotFoundError, SessionEndedError
from sayiir_core.ids import InstanceId, SessionId, pack_index
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.head import Cursor, CursorKey, Head
from sayiir_sqlite.connection import Handle, Params, Row
from sayiir_sqlite.rows import (
    read_cursor,
    read_header,
    write_cursor,
    write_deaths,
    write_header,
)
from sayiir_sqlite.statement import statement

_HEADER_OF_INSTANCE: Final = statement("header_of_instance")
_HEADER_OF_RUN: Final = statement("header_of_run")
_CURSORS_OF_RUN: Final = statement("cursors_of_run")
_CURSOR_OF_RUN: Final = statement("cursor_of_run")
_CURSOR_INSERT: Final = statement("cursor_insert")
_CURSOR_UPDATE: Final = statement("cursor_update")
_CURSOR_RELEASE: Final = statement("cursor_release")
_CURSOR_GRANT: Final = statement("cursor_grant")
_CURSORS_OWNED: Final = statement("cursors_owned")
_INSTANCE_UPDATE: Final = statement("instance_update")
_SESSION_ALIVE: Final = statement("session_alive")


@dataclass(slots=True)
class StoredHead:
    """A head, perhaps partial, with the numbers of its run and definition."""

    run: int
    definition: int
    head: Head

    def add(self, rows: Iterable[Row]) -> list[Cursor]:
        """Put rows of ``cursor_rows`` into the head and return their cursors."""
        cursors = [read_cursor(row) for row in rows]
        for cursor in cursors:
            self.head.cursors[cursor.key] = cursor
        return cursors


def find_header(handle: Handle, instance_id: InstanceId) -> StoredHead | None:
    """Return the head of an instance without any cursor, None if there is no such instance."""
    row = handle.one(_HEADER_OF_INSTANCE, (instance_id,))
    return None if row is None else _with_header(row)


def header_of_run(handle: Handle, run: int) -> StoredHead:
    """Return the head of a run that exists, without any cursor."""
    row = handle.one(_HEADER_OF_RUN, (run,))
    assert row is not None
    return _with_header(row)


def load_head(handle: Handle, instance_id: InstanceId) -> StoredHead:
    """Return the whole head of an instance or raise ``InstanceNotFoundError``."""
    stored = find_header(handle, instance_id)
    if stored is None:
        raise InstanceNotFoundError(instance_id)
    load_cursors(handle, stored)
    return stored


def load_cursors(handle: Handle, stored: StoredHead) -> None:
    """Put all cursors of the run into a head."""
    stored.add(handle.all(_CURSORS_OF_RUN, (stored.run,)))


def load_cursor(handle: Handle, stored: StoredHead, key: CursorKey) -> None:
    """Put one cursor into a head, if it is live."""
    stored.add(handle.all(_CURSOR_OF_RUN, (stored.run, key.scope, pack_index(key.turns))))


def heads_with(handle: Handle, rows: Iterable[Row]) -> list[StoredHead]:
    """Return one head per run of these rows of ``cursor_rows``, which are ordered by run."""
    heads: list[StoredHead] = []
    for run, its_rows in groupby(rows, key=_run_of):
        stored = header_of_run(handle, run)
        stored.add(its_rows)
        heads.append(stored)
    return heads


def insert_cursors(handle: Handle, stored: StoredHead, cursors: Iterable[Cursor]) -> None:
    """Write new cursors."""
    owned = stored.head.header.owner is not None
    handle.change_many(
        _CURSOR_INSERT,
        [
            (*_key(stored, cursor), stored.definition, *write_cursor(cursor, owned=owned))
            for cursor in cursors
        ],
    )


def update_cursors(handle: Handle, stored: StoredHead, cursors: Iterable[Cursor]) -> None:
    """Write changed cursors."""
    owned = stored.head.header.owner is not None
    handle.change_many(
        _CURSOR_UPDATE,
        [(*write_cursor(cursor, owned=owned), *_key(stored, cursor)) for cursor in cursors],
    )


def grant_cursors(handle: Handle, session: int, granted: Iterable[tuple[int, Cursor]]) -> None:
    """Write the claims of a session on cursors, each given with its run."""
    handle.change_many(
        _CURSOR_GRANT,
        [
            (session, it.claim_no, it.fence, run, it.scope, pack_index(it.index))
            for run, it in granted
        ],
    )


def release_cursors(handle: Handle, stored: StoredHead, cursors: Iterable[Cursor]) -> None:
    """Write that nobody holds these cursors, and the deaths that are charged to them."""
    handle.change_many(
        _CURSOR_RELEASE,
        [(write_deaths(cursor.deaths), *_key(stored, cursor)) for cursor in cursors],
    )


def at_rest(head: Head) -> HintKind:
    """Return what it means to others that nobody holds some cursors of a run any more."""
    return HintKind.CLAIMABLE if head.header.finished_at is None else HintKind.ENDED


def update_header(handle: Handle, stored: StoredHead) -> None:
    """Write what can change of a header."""
    handle.execute(_INSTANCE_UPDATE, (*write_header(stored.head.header), stored.run))


def update_owner(handle: Handle, stored: StoredHead) -> None:
    """Write a header whose owner changed, and show or hide all cursors of the run to pools."""
    update_header(handle, stored)
    handle.execute(_CURSORS_OWNED, (stored.head.header.owner is not None, stored.run))


def live_session(handle: Handle, session_id: SessionId) -> int:
    """Return the number of a session that has not ended, or raise ``SessionEndedError``."""
    row = handle.one(_SESSION_ALIVE, (session_id,))
    if row is None:
        raise SessionEndedError(session_id)
    return int(row[0])


def is_live(handle: Handle, session_id: SessionId) -> bool:
    """Tell whether a session is registered and has not ended."""
    return handle.one(_SESSION_ALIVE, (session_id,)) is not None


def _with_header(row: Row) -> StoredHead:
    return StoredHead(row[0], row[1], Head(header=read_header(row)))


def _key(stored: StoredHead, cursor: Cursor) -> Params:
    return stored.run, cursor.scope, pack_index(cursor.index)


def _run_of(row: Row) -> int:
    return int(row[0])
