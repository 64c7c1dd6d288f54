"""The one place that talks to the server: connecting, repeating what may be repeated, failing.

Every port hands its work as a function to ``run``. A conflict (deadlock, serialisation failure)
repeats it after a short wait. A connection that broke repeats it on a fresh one, unless the work
may not be done twice and its commit was already sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeVar, cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.errors import FeatureNotSupported
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryDumper

from sayiir_core.errors import BackendError
from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.address import Address
from sayiir_postgres.arrays import Packed, PackedDumper
from sayiir_postgres.connections import Connection, Connections
from sayiir_postgres.errors import (
    CONFLICTS,
    AnswerLostError,
    CallTimeoutError,
    answer_lost,
    backend_error,
)
from sayiir_postgres.migrate import migrate
from sayiir_postgres.patience import Patience
from sayiir_postgres.server_clock import ServerClock
from sayiir_postgres.statements import Statements
from sayiir_postgres.transaction import Transaction, transaction

T = TypeVar("T")

ONCE_MORE: Final = (0.0,)
"""Try a broken connection's work again at once, since an idle connection may be long dead."""

STUBBORN: Final = (0.0, 0.1, 0.3, 1.0, 2.0)
"""Wait out a restart of the server."""

NEARLY_NOW: Final = timedelta(milliseconds=100)
"""What is due then concerns a pool now."""

_LOCK_SHARE: Final = 0.8
"""How much of the call timeout a statement may wait for one lock."""

_CONFLICT_DELAYS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class _InstantLoader(Loader):
    """Read an instant as UTC, whatever time zone the connection shows."""

    format = Format.BINARY
    _EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)

    def load(self, data: Buffer) -> datetime:
        return self._EPOCH + timedelta(microseconds=int.from_bytes(data, signed=True))


class Database:
    """A schema on a server, opened at first use, once per process.

    ``hint`` is to be called after each commit that made something claimable for pools now or that
    may have ended a run; it returns at once and never raises. Transactions call it themselves.
    """

    def __init__(
        self,
        address: Address,
        *,
        schema: str,
        clock: ServerClock,
        max_connections: int,
        pooler: bool,
        hint: Callable[[AbstractSet[HintKind]], None] = lambda _: None,
        connected: Callable[[], None] = lambda: None,
        conflict_delays: Sequence[float] = _CONFLICT_DELAYS,
    ) -> None:
        self.hint = hint
        self._connected = connected
        self.address = address
        self.schema = schema
        self.clock = clock
        self.statements = Statements.load(schema)
        self._prepare_threshold = None if pooler else 1
        self._hello = "hello_pooler" if pooler else "hello"
        self._conflict_delays = conflict_delays
        self._connections = Connections(max_connections)
        self._ready_in: int | None = None

    def open(self) -> None:
        """Connect and prepare the schema, or check that the server still answers."""
        self.run(lambda connection: connection.execute(b"SELECT 1"))

    def close(self) -> None:
        """Close what is idle now, the rest when its work is done; a later operation opens again."""
        self._connections.close()

    def run(
        self,
        work: Callable[[Connection], T],
        *,
        repeatable: bool = True,
        patience: Sequence[float] = ONCE_MORE,
    ) -> T:
        """Do some work on a connection and return its result.

        Raises ``BackendError`` when it cannot be done; driver errors never pass. While the server
        is silent that takes up to twice the call timeout, and what it takes to connect again.
        """
        left = Patience(self._conflict_delays, patience)
        era = self._connections.era
        while True:
            try:
                with self._connections.lend(lambda: self._connect(left), era) as connection:
                    try:
                        self._prepare_schema(connection)
                        return work(connection)
                    except psycopg.Error as error:
                        delay = self._delay_after(error, connection, left)
            except AnswerLostError as error:
                self._connections.drop_idle()
                again = left.after_break(error.__cause__) if repeatable else None
                if again is None:
                    raise answer_lost(str(self.address)) from error.__cause__
                delay = again
            time.sleep(delay)

    def call(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement by its name, that may be repeated; return its rows."""
        return self.run(lambda connection: self.statement(connection, name, parameters))

    def statement(
        self, connection: Connection, name: str, parameters: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own; return its rows, if it has any."""
        cursor = connection.cursor(binary=True).execute(self.statements[name], parameters)
        return cursor.fetchall() if cursor.description is not None else []

    @contextmanager
    def transaction(
        self, connection: Connection, mode: Literal["write", "read"] = "write"
    ) -> Generator[Transaction]:
        """Open a transaction on a connection; see ``sayiir_postgres.transaction``.

        After its commit whoever may be concerned by what it wrote gets a hint.
        """
        with transaction(connection, self.statements, mode) as opened:
            yield opened
        kinds = {HintKind.ENDED} if opened.may_end else set[HintKind]()
        start = opened.claimable_from
        if start is not None and start <= self.clock.now() + NEARLY_NOW:
            kinds.add(HintKind.CLAIMABLE)
        if kinds:
            self.hint(kinds)

    def moment(self, tx: Transaction) -> Callable[[], datetime]:
        """Ask for the store's clock behind the locks that were sent.

        Call the result once the locked rows were read; a given clock is read only then.
        """
        if self.clock.given:
            return self.clock.now
        pending = tx.send("clock", {"now": None})
        return lambda: cast("datetime", pending.rows()[0][0])

    def error(self, error: BaseException) -> BackendError:
        """Return our error for one of the driver."""
        return backend_error(error, server=str(self.address), secrets=self.address.secrets)

    def _delay_after(self, error: psycopg.Error, connection: Connection, left: Patience) -> float:
        """Return how long to wait before the work is done again, or raise ours."""
        if isinstance(error, FeatureNotSupported):
            # A statement that this connection prepared before another release migrated the schema.
            connection.close()
        if connection.closed:
            self._connections.drop_idle()
            delay = left.after_break(error)
        else:
            delay = left.after_conflict() if isinstance(error, CONFLICTS) else None
        if delay is None:
            raise self.error(error) from error
        return delay

    def _connect(self, left: Patience) -> Connection:
        """Connect; while the server cannot be reached, wait as long as the patience lasts."""
        while True:
            try:
                return self._connect_once()
            except psycopg.Error as error:
                failure = self.error(error)
                # One that lets in and then says nothing is not restarting.
                is_silent = isinstance(error, CallTimeoutError)
                delay = None if is_silent else left.before_connecting()
                if delay is None or not failure.transient:
                    raise failure from error
            time.sleep(delay)

    def _connect_once(self) -> Connection:
        connection = self.address.connect(prepare_threshold=self._prepare_threshold)
        try:
            self._greet(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _greet(self, connection: Connection) -> None:
        """Set the connection up, and read the server's clock.

        Every statement is served by an index, so the planner is kept from reading whole tables
        while its statistics lag behind, and each statement is planned once per connection. Whoever
        stops in the middle of a write (a suspended machine) loses the transaction, so that its
        locks stop nobody for long. A wait for a lock ends on the server, which says so, before the
        silence would be too long here, where it would leave the effect unknown.
        """
        # One type for every int, so that a statement is prepared once and not per magnitude.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        connection.adapters.register_dumper(Packed, PackedDumper)
        connection.adapters.register_loader("timestamptz", _InstantLoader)
        before = time.monotonic()
        parameters = {"lock_timeout": int(self.address.call_timeout * 1000 * _LOCK_SHARE) or 1}
        cursor = connection.cursor(binary=True).execute(
            self.statements[self._hello], parameters, prepare=False
        )
        hello = cursor.fetchone()
        assert hello is not None
        self.clock.observe(hello[-1], before=before, after=time.monotonic())
        self._connected()

    def _prepare_schema(self, connection: Connection) -> None:
        if self._ready_in != os.getpid():
            migrate(connection, self.schema, server=str(self.address))
            self._ready_in = os.getpid()
