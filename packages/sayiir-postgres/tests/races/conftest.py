"""A stage on which races are played step by step, on several real connections.

An actor is a backend of its own, so that the server's list of activities tells by the application
name what the actor waits for. A *lock* is a row lock that the test itself holds; a *gate* stops
whoever writes certain rows, right before the write, until it is opened. Nothing here waits for a
time to pass: ``settle`` polls until an actor waits for a lock or is done.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.head import Cursor, CursorKey, Head
from sayiir_postgres import PostgresBackend, checkpoints
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig

PATIENCE_SECONDS = 30.0
TTL = timedelta(seconds=30)

Edit = Callable[[bytes], bytes]


class Task:
    """Something an actor does in a thread of its own."""

    def __init__(self, actor: "Actor", future: "Future[Any]") -> None:
        self.actor = actor
        self._future = future

    def result(self) -> Any:
        """Wait for the result, or raise what the work raised."""
        return self._future.result(PATIENCE_SECONDS)

    def error(self) -> BaseException | None:
        """Wait for the end; return what the work raised."""
        return self._future.exception(PATIENCE_SECONDS)

    @property
    def done(self) -> bool:
        """Tell whether the work has ended."""
        return self._future.done()


class Actor:
    """A backend of its own on the stage's store, right or deliberately wrong."""

    def __init__(self, stage: "Stage", name: str, edits: dict[str, Edit]) -> None:
        self.stage = stage
        self.name = f"{name}_{uuid.uuid4().hex[:8]}"
        dsn = psycopg.conninfo.make_conninfo(
            stage.dsn, application_name=self.name, options="-c deadlock_timeout=50ms"
        )
        self.backend = PostgresBackend(dsn, schema=stage.schema, clock=stage.clock)
        database = self.backend._database
        texts = {name: edit(database.statements[name]) for name, edit in edits.items()}
        database.statements = database.statements.replaced(**texts)

    def do(self, work: Callable[[PostgresBackend], Any]) -> Task:
        """Start some work in a thread."""
        return Task(self, self.stage.pool.submit(work, self.backend))

    def hand(self, hand: Hand) -> Hand:
        """Return the same hold on a cursor, committed through this actor's backend."""
        mine = Hand(self.backend, hand.claim)
        mine.seq = hand.seq
        return mine

    def give_up_on_conflicts(self) -> None:
        """Report a deadlock instead of trying again."""
        self.backend._database._conflict_delays = ()

    def cut(self) -> None:
        """Break the connection that is in use, while the server goes on with its statement."""
        for connection in self._lent:
            copy = socket.socket(fileno=os.dup(connection.pgconn.socket))
            copy.shutdown(socket.SHUT_RDWR)
            copy.close()

    def watch(self) -> "Actor":
        """Note the connections that are opened from now on, so that they can be cut."""
        self._lent: list[psycopg.Connection[Any]] = []
        database = self.backend._database
        connect = database._connect_once

        def note() -> psycopg.Connection[Any]:
            connection = connect()
            self._lent.append(connection)
            return connection

        database._connect_once = note
        return self


class Lock:
    """Row locks or an open write that the test holds on a connection of its own."""

    def __init__(self, stage: "Stage", query: str, parameters: dict[str, Any]) -> None:
        self.connection = stage.connect(autocommit=False)
        self.connection.execute(stage.render(query), parameters)

    def release(self) -> None:
        """Commit and let go."""
        self.connection.commit()
        self.connection.close()


class Gate:
    """A trigger that stops writers until it is opened, once for all."""

    _KEY = 4711

    def __init__(self, stage: "Stage", event: str, table: str, condition: str) -> None:
        self.connection = stage.connect(autocommit=True)
        self.connection.execute("SELECT pg_advisory_lock(%s)", (self._KEY,))
        self.connection.execute(
            stage.render(
                "CREATE FUNCTION {schema}.wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ "
                "BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN COALESCE(NEW, OLD); END $$"
            )
        )
        self.connection.execute(
            stage.render(
                f"CREATE TRIGGER gate BEFORE {event} ON {{schema}}.{table} FOR EACH ROW "
                f"WHEN ({condition}) EXECUTE FUNCTION {{schema}}.wait_at_gate()"
            )
        )

    def open(self) -> None:
        """Let everybody pass from now on."""
        self.connection.execute("SELECT pg_advisory_unlock(%s)", (self._KEY,))
        self.connection.close()


class Stage:
    """One store with a clock of its own, actors, locks and gates."""

    ttl = TTL

    def __init__(self, dsn: str, schema: str, pool: ThreadPoolExecutor) -> None:
        self.dsn = dsn
        self.schema = schema
        self.pool = pool
        self.clock = VirtualClock()
        self._watcher = psycopg.connect(dsn, autocommit=True)
        self._actors: list[Actor] = []
        self._open: list[psycopg.Connection[Any]] = []
        self.rig = Rig(lambda: self.actor("rig").backend, self.clock)

    def actor(self, name: str, **edits: Edit) -> Actor:
        """Return a new actor; edits make some of its statements wrong."""
        actor = Actor(self, name, edits)
        self._actors.append(actor)
        return actor

    def swap(self, old: str, new: str) -> Edit:
        """Return an edit of a statement; it fails where the old text is missing."""
        quoted = sql.Identifier(self.schema).as_string()
        before, after = (text.replace("{schema}", quoted).encode() for text in (old, new))

        def edit(text: bytes) -> bytes:
            assert before in text, f"{old!r} is not in the statement"
            return text.replace(before, after)

        return edit

    def lock(self, query: str, **parameters: Any) -> Lock:
        """Hold the locks of a query."""
        return Lock(self, query, parameters)

    def lock_instance(self, instance_id: InstanceId) -> Lock:
        """Hold the row of an instance."""
        return self.lock(
            "SELECT 1 FROM {schema}.instances WHERE instance_id = %(id)s FOR NO KEY UPDATE",
            id=instance_id,
        )

    def lock_cursor(self, hand: Hand) -> Lock:
        """Hold the row of a cursor."""
        return self.lock(
            "SELECT 1 FROM {schema}.cursors WHERE run = %(run)s AND scope = %(scope)s "
            "FOR NO KEY UPDATE",
            run=hand.run_id,
            scope=hand.key.scope,
        )

    def gate(self, event: str, table: str, condition: str = "true") -> Gate:
        """Stop whoever writes such rows."""
        return Gate(self, event, table, condition)

    def settle(self, task: Task) -> str:
        """Wait until a task is done or waits for a lock; say which."""
        self.until(lambda: task.done or self.waiting(task.actor) > 0)
        return "done" if task.done else "waiting"

    def waiting(self, actor: Actor) -> int:
        """Return how many connections of an actor wait for a lock."""
        return self.count(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = %(name)s AND wait_event_type = 'Lock'",
            name=actor.name,
        )

    def until(self, condition: Callable[[], bool]) -> None:
        """Poll until a condition holds; ``AssertionError`` if it never does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the condition never held"
            time.sleep(0.003)

    def count(self, query: str, **parameters: Any) -> int:
        """Return the number that a query selects."""
        (number,) = self._watcher.execute(self.render(query), parameters).fetchone() or (0,)
        return int(number)

    def session(self, ttl: timedelta = TTL) -> SessionId:
        """Register a session."""
        session_id = SessionId(self.rig.name("session"))
        new = NewSession(session_id=session_id, worker_id="worker", ttl=ttl)
        self.rig.backend.sessions.register(new)
        return session_id

    def load(self, instance_id: InstanceId) -> Head:
        """Return the stored head."""
        return self.rig.load(instance_id)

    def cursor(self, instance_id: InstanceId, scope: int = 0) -> Cursor:
        """Return a stored cursor."""
        return self.load(instance_id).cursors[CursorKey(scope, ())]

    def connect(self, *, autocommit: bool) -> "psycopg.Connection[Any]":
        """Return a connection of the test's own."""
        connection = psycopg.connect(self.dsn, autocommit=autocommit)
        self._open.append(connection)
        return connection

    def render(self, query: str) -> sql.Composed:
        """Put the schema into a query."""
        return sql.SQL(query).format(schema=sql.Identifier(self.schema))

    def close(self) -> None:
        """Let everything go, whatever state the test left it in."""
        for connection in (*self._open, self._watcher):
            connection.close()
        for actor in self._actors:
            actor.backend.close()


@pytest.fixture
def stage(place: tuple[str, str]) -> Iterator[Stage]:
    """Give an empty store and the means to play a race on it."""
    dsn, schema = place
    with ThreadPoolExecutor() as pool:
        made = Stage(dsn, schema, pool)
        yield made
        made.close()


@pytest.fixture(params=["fast", "slow"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Commit by the one statement for batches, or everything by the slow path."""
    name: str = request.param
    monkeypatch.setattr(checkpoints, "write_single", lambda *_: False)
    if name == "slow":
        monkeypatch.setattr(checkpoints, "split", lambda batch: ([], list(batch)))
    return name


@pytest.fixture(params=["finish_one", "commit"])
def ending(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """End a run by the statement for one checkpoint, or by the one for batches; give its name."""
    name: str = request.param
    if name == "commit":
        monkeypatch.setattr(checkpoints, "write_single", lambda *_: False)
    return name
