"""The bundle of all stores on one SQLite file."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Final, Literal

from sayiir_core.duration import Duration, to_timedelta
from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_sqlite.checkpoints import SQLiteCheckpoints
from sayiir_sqlite.claims import SQLiteClaims
from sayiir_sqlite.clock import StoreClock
from sayiir_sqlite.connection import Settings, Synchronous
from sayiir_sqlite.control import SQLiteControl
from sayiir_sqlite.database import Database
from sayiir_sqlite.definitions import SQLiteDefinitions
from sayiir_sqlite.instances import SQLiteInstances
from sayiir_sqlite.limit import PayloadLimit
from sayiir_sqlite.location import resolve_path
from sayiir_sqlite.ownership import SQLiteOwnership
from sayiir_sqlite.results import SQLiteResults
from sayiir_sqlite.sessions import SQLiteSessions
from sayiir_sqlite.signals import SQLiteSignals
from sayiir_sqlite.wakeup import SQLiteWakeup

MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
AGING_INTERVAL: Final = timedelta(seconds=300)
BUSY_TIMEOUT: Final = timedelta(seconds=60)

_CAPABILITIES: Final = Capabilities(durable=True, shared=True, never_blocks=False)


class SQLiteBackend:
    """Keep workflows in one SQLite file, which any number of processes of one host may share.

    ``path`` is the path of the file or a URL ``sqlite:///file.db``; its folder must exist and be
    on a local file system. With ``synchronous="FULL"`` everything acknowledged survives a power
    cut; with ``"NORMAL"`` it survives the end of any process, and a power cut may undo the last
    moments. ``aging_interval`` is how long a cursor waits until it counts one priority higher;
    ``busy_timeout`` how long to wait for another process that has the file for itself;
    ``max_page_count`` bounds the size of the file in pages of 4096 bytes.

    Nothing is opened here: ``open()`` or the first operation does it. Raises ``TypeError`` and
    ``ValueError`` for arguments that cannot be meant, such as a database in memory.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        clock: Clock | None = None,
        aging_interval: Duration = AGING_INTERVAL,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        busy_timeout: Duration = BUSY_TIMEOUT,
        max_page_count: int | None = None,
    ) -> None:
        settings = Settings(
            path=resolve_path(path),
            synchronous=Synchronous.named(synchronous),
            busy_timeout=to_timedelta(busy_timeout),
            max_page_count=None
            if max_page_count is None
            else _positive(max_page_count, "max_page_count"),
        )
        limit = PayloadLimit(_positive(max_payload_bytes, "max_payload_bytes"))
        self.epoch = 0
        self._clock = StoreClock(clock)
        self._database = Database(settings)
        self._instances = SQLiteInstances(self._database, self._clock, limit)
        self._definitions = SQLiteDefinitions(self._database)
        self._checkpoints = SQLiteCheckpoints(self._database, self._clock, limit)
        self._claims = SQLiteClaims(self._database, self._clock, to_timedelta(aging_interval))
        self._ownership = SQLiteOwnership(self._database, self._clock)
        self._sessions = SQLiteSessions(self._database, self._clock)
        self._signals = SQLiteSignals(self._database, self._clock, limit)
        self._control = SQLiteControl(self._database, self._clock)
        self._results = SQLiteResults(self._database)
        self._wakeup = SQLiteWakeup(self._database)

    @property
    def path(self) -> str:
        """Return the absolute path of the file."""
        return self._database.path

    @property
    def capabilities(self) -> Capabilities:
        """Return what the store can do."""
        return _CAPABILITIES

    @property
    def instances(self) -> SQLiteInstances:
        """Return the store of runs."""
        return self._instances

    @property
    def definitions(self) -> SQLiteDefinitions:
        """Return the store of definitions."""
        return self._definitions

    @property
    def checkpoints(self) -> SQLiteCheckpoints:
        """Return the store through which steps are written."""
        return self._checkpoints

    @property
    def claims(self) -> SQLiteClaims:
        """Return the store through which pools take work."""
        return self._claims

    @property
    def ownership(self) -> SQLiteOwnership:
        """Return the store through which runners take instances."""
        return self._ownership

    @property
    def sessions(self) -> SQLiteSessions:
        """Return the store of leases."""
        return self._sessions

    @property
    def signals(self) -> SQLiteSignals:
        """Return the store of signals."""
        return self._signals

    @property
    def control(self) -> SQLiteControl:
        """Return the store of requests from outside."""
        return self._control

    @property
    def results(self) -> SQLiteResults:
        """Return the store of records and payloads."""
        return self._results

    @property
    def wakeup(self) -> SQLiteWakeup:
        """Return the source of hints at new work."""
        return self._wakeup

    def now(self) -> datetime:
        """Return the store's clock: the host's, if no other was given."""
        return self._clock.now()

    def open(self) -> None:
        """Open the file and prepare the schema; raises ``BackendError`` that names the file."""
        self._database.open()

    def close(self) -> None:
        """End the sessions of this process and close the file; a later use opens it again."""
        self.epoch += 1
        try:
            self._sessions.end_mine()
        finally:
            self._database.close()

    def __repr__(self) -> str:
        return f"SQLiteBackend({self.path!r})"


def _positive(number: int, name: str) -> int:
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number!r}")
    return number
