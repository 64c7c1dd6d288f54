"""The document of a session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sayiir_core.errors import SessionEndedError
from sayiir_core.ids import SessionId, WorkflowId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.ports.sessions import SessionView
from sayiir_core.snapshot.document import check_version, parse
from sayiir_core.snapshot.head import Lane
from sayiir_core.snapshot.row_document import read_instant, write_instant
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_core.workflow.fields import Fields

FORMAT: Final = "sayiir-session"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """The process that a session belongs to.

    ``mark`` tells it from an earlier or later process with this number, for whoever can compare
    the two: its start time, for instance, and what names the run of the kernel.
    """

    host: str
    pid: int
    mark: str = ""


@dataclass(slots=True, kw_only=True)
class SessionDocument:
    """A lease. ``died`` says of one that is not alive whether deaths are charged."""

    session_id: SessionId
    worker_id: str
    origin: Origin
    ttl: timedelta
    lanes: tuple[Lane, ...]
    renewed_at: datetime
    steady_since: datetime
    alive: bool = True
    died: bool = False

    def expired(self, now: datetime) -> bool:
        """Tell whether more than the ttl has passed since it was renewed."""
        return now - self.renewed_at > self.ttl

    def may_reap(self, now: datetime) -> bool:
        """Tell whether it lives and has renewed without a gap for one full ttl."""
        return self.alive and not self.expired(now) and now - self.steady_since >= self.ttl

    def view(self, *, proved_alive: bool) -> SessionView:
        """Return what others see of it."""
        return SessionView(
            session_id=self.session_id,
            worker_id=self.worker_id,
            host=self.origin.host,
            pid=self.origin.pid,
            ttl=self.ttl,
            renewed_at=self.renewed_at,
            alive=self.alive,
            proved_alive=self.alive and proved_alive,
            lanes=self.lanes,
        )


def encode_session(session: SessionDocument) -> bytes:
    """Return the document as JSON text."""
    form: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "session_id": session.session_id,
        "worker_id": session.worker_id,
        "host": session.origin.host,
        "pid": session.origin.pid,
        "mark": session.origin.mark,
        "ttl_us": session.ttl // timedelta(microseconds=1),
        "lanes": [
            {"workflow_id": workflow_id, "structure_hash": structure_hash, "group": group}
            for (workflow_id, structure_hash), group in session.lanes
        ],
        "renewed_at": write_instant(session.renewed_at),
        "steady_since": write_instant(session.steady_since),
        "alive": session.alive,
        "died": session.died,
    }
    return json.dumps(form, separators=(",", ":")).encode()


def decode_session(text: bytes) -> SessionDocument:
    """Invert ``encode_session``; raises the ``DeserializationError`` family."""
    fields = Fields.of(parse(text, "a stored session"), "a stored session")
    check_version(fields, FORMAT, VERSION)
    return SessionDocument(
        session_id=SessionId(fields.text("session_id")),
        worker_id=fields.text("worker_id"),
        origin=Origin(fields.text("host"), fields.number("pid"), fields.text("mark")),
        ttl=fields.length("ttl_us"),
        lanes=tuple(_lane(item) for item in fields.records("lanes")),
        renewed_at=read_instant(fields, "renewed_at"),
        steady_since=read_instant(fields, "steady_since"),
        alive=fields.flag("alive"),
        died=fields.flag("died"),
    )


def _lane(fields: Fields) -> Lane:
    workflow_id = WorkflowId(fields.text("workflow_id"))
    identity = DefinitionIdentity(workflow_id, fields.text("structure_hash"))
    return Lane(identity, fields.text("group"))


def find_session(store: KeyValueStore, session_id: SessionId) -> SessionDocument | None:
    """Return a session, whether it lives or not, None if nothing is known of it."""
    found = store.get(key.session_key(session_id)) or store.get(key.ended_key(session_id))
    return None if found is None else decode_session(found.value)


def change_session(
    store: KeyValueStore, session_id: SessionId, change: Callable[[SessionDocument], bool]
) -> bool:
    """Change a live session in place; False if it has ended, or if ``change`` says False."""
    place = key.session_key(session_id)
    while (found := store.get(place)) is not None:
        session = decode_session(found.value)
        if not session.alive or not change(session):
            return False
        if store.put_if(place, encode_session(session), found.version):
            return True
    return False


def live_sessions(store: KeyValueStore) -> Iterator[SessionDocument]:
    """Yield the sessions that have not ended."""
    for _, value in scan_all(store, key.SESSIONS):
        session = decode_session(value)
        if session.alive:
            yield session


def serving(store: KeyValueStore) -> Iterator[tuple[SessionId, tuple[Lane, ...]]]:
    """Yield each live session with the lanes that it takes work from."""
    for session in live_sessions(store):
        yield session.session_id, session.lanes


def is_live(store: KeyValueStore, session_id: SessionId) -> bool:
    """Tell whether a session is registered and has not ended."""
    found = store.get(key.session_key(session_id))
    return found is not None and decode_session(found.value).alive


def require_live(store: KeyValueStore, session_id: SessionId) -> None:
    """Raise ``SessionEndedError`` unless the session is live."""
    if not is_live(store, session_id):
        raise SessionEndedError(session_id)
