"""The bundle of all stores on one PostgreSQL schema."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.duration import Duration, parse_duration, to_timedelta
from sayiir_core.errors import BackendError
from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.address import Address
from sayiir_postgres.checkpoints import PostgresCheckpoints
from sayiir_postgres.claims import PostgresClaims
from sayiir_postgres.control import PostgresControl
from sayiir_postgres.database import Database
from sayiir_postgres.definitions import PostgresDefinitions
from sayiir_postgres.instances import PostgresInstances
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.migrate import DEFAULT_SCHEMA, check_schema, migration_script
from sayiir_postgres.ownership import PostgresOwnership
from sayiir_postgres.results import PostgresResults
from sayiir_postgres.server_clock import ServerClock
from sayiir_postgres.sessions import PostgresSessions
from sayiir_postgres.signals import PostgresSignals
from sayiir_postgres.timed import CALL_TIMEOUT
from sayiir_postgres.wakeup import PostgresWakeup

AGING_INTERVAL: Final = timedelta(seconds=300)
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
MAX_CONNECTIONS: Final = 4

_CAPABILITIES: Final = Capabilities(durable=True, shared=True, never_blocks=False)


class PostgresBackend:
    """Keep workflows in one schema of a PostgreSQL database (13 or later), for any processes.

    ``dsn`` is a URL or a keyword string as libpq takes it. With ``clock`` that clock rules
    instead of the server's. ``aging_interval`` is how long a cursor waits until it counts one
    priority higher. Each process keeps up to ``max_connections`` connections and opens them when
    they are first needed. ``pooler=True`` is for an address of a pooler that gives each transaction
    another server connection: it prepares no statements and changes no settings. Hints of other
    processes do not pass such a pooler; they are heard at ``listen_url``, an address of the server.

    ``call_timeout`` is for how long the server may be silent while it is asked something. Then the
    connection is given up, and the call goes on as if it had broken: what may be done twice is
    asked once more on another one, or ``BackendError`` is raised, transient. Connecting takes no
    longer than it, either. Waits for locks end on the server a little earlier (four fifths of it,
    or its own ``lock_timeout`` if that is less), migrations may take an hour. Keep it, and a few seconds
    for connecting again, below the lease of workers (``claim_ttl``).

    Nothing is opened here: ``open()`` or the first operation does it, and makes the schema if the
    user may. Raises ``ValueError`` for arguments that cannot be meant.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = DEFAULT_SCHEMA,
        clock: Clock | None = None,
        aging_interval: Duration = AGING_INTERVAL,
        max_connections: int = MAX_CONNECTIONS,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        pooler: bool = False,
        listen_url: str | None = None,
        call_timeout: Duration = CALL_TIMEOUT,
    ) -> None:
        _check("max_connections", max_connections >= 1)
        _check("max_payload_bytes", max_payload_bytes >= 1)
        silence = parse_duration(call_timeout)
        _check("call_timeout", silence > 0)
        self.epoch = 0
        self._clock = ServerClock(clock)
        address = Address(dsn, call_timeout=silence)
        listen_address = None if listen_url is None else Address(listen_url, call_timeout=silence)
        database = self._database = Database(
            address,
            schema=check_schema(schema),
            # The wake-up needs the statements that the database reads, so it is made after it.
            hint=self._hint,
            connected=lambda: self._wakeup.resume(),  # noqa: PLW0108
            clock=self._clock,
            max_connections=max_connections,
            pooler=pooler,
        )
        self._wakeup = PostgresWakeup(address, listen_address, database.statements)
        lanes = Lanes(database)
        limit = max_payload_bytes
        self._instances = PostgresInstances(database, lanes, max_payload_bytes=limit)
        self._definitions = PostgresDefinitions(database)
        self._checkpoints = PostgresCheckpoints(database, lanes, max_payload_bytes=limit)
        aging = to_timedelta(aging_interval)
        self._claims = PostgresClaims(database, lanes, aging_interval=aging)
        self._ownership = PostgresOwnership(database, lanes)
        self._sessions = PostgresSessions(database, lanes)
        self._signals = PostgresSignals(database, lanes, max_payload_bytes=limit)
        self._control = PostgresControl(database, lanes)
        self._results = PostgresResults(database)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the store can do."""
        return _CAPABILITIES

    @property
    def instances(self) -> PostgresInstances:
        """Return the store of runs."""
        return self._instances

    @property
    def definitions(self) -> PostgresDefinitions:
        """Return the store of definitions."""
        return self._definitions

    @property
    def checkpoints(self) -> PostgresCheckpoints:
        """Return the store through which steps are written."""
        return self._checkpoints

    @property
    def claims(self) -> PostgresClaims:
        """Return the store through which pools take work."""
        return self._claims

    @property
    def ownership(self) -> PostgresOwnership:
        """Return the store through which runners take instances."""
        return self._ownership

    @property
    def sessions(self) -> PostgresSessions:
        """Return the store of leases."""
        return self._sessions

    @property
    def signals(self) -> PostgresSignals:
        """Return the store of signals."""
        return self._signals

    @property
    def control(self) -> PostgresControl:
        """Return the store of requests from outside."""
        return self._control

    @property
    def results(self) -> PostgresResults:
        """Return the store of records and payloads."""
        return self._results

    @property
    def wakeup(self) -> PostgresWakeup:
        """Return what hints at new work, across processes too."""
        return self._wakeup

    def now(self) -> datetime:
        """Return the server's clock as estimated here, or the clock that was given."""
        if not self._clock.known:
            self.open()
        return self._clock.now()

    def open(self) -> None:
        """Connect and prepare the schema; raises ``BackendError`` that names the host."""
        self._database.open()

    def migration_script(self) -> str:
        """Return the statements that make or update this schema; nothing is connected to."""
        return migration_script(self._database.schema)

    def close(self) -> None:
        """End the sessions of this process and close its connections; a later use opens anew."""
        self.epoch += 1
        try:
            # Where the server is out of reach they end by themselves, when their leases expire.
            with suppress(BackendError):
                self._sessions.end_mine()
        finally:
            self._wakeup.close()
            self._database.close()

    def _hint(self, kinds: AbstractSet[HintKind]) -> None:
        self._wakeup.hint(kinds)

    def __repr__(self) -> str:
        return f"PostgresBackend({str(self._database.address)!r}, schema={self._database.schema!r})"


def _check(name: str, holds: bool) -> None:
    if not holds:
        raise ValueError(f"{name} is out of its range; see the documentation of PostgresBackend")
