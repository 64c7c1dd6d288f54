"""Where the server is, and what must never be told of that."""

from __future__ import annotations

import math
import os
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sayiir_postgres.timed import CALL_TIMEOUT, TimedConnection

_DEFAULTS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "fallback_application_name": "sayiir",
    # So that a peer that vanished without a word is noticed within half a minute.
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class Address:
    """A parsed connection string, as ``postgresql://…`` or ``host=… dbname=…``.

    ``call_timeout`` is for how many seconds the server there may be silent when it is asked.
    Raises ``ValueError`` for one that cannot be read, without repeating it.
    """

    def __init__(self, dsn: str, *, call_timeout: float = CALL_TIMEOUT) -> None:
        self.call_timeout: Final = call_timeout
        try:
            self._given = conninfo_to_dict(dsn)
        except psycopg.Error:
            # Not chained: the driver's text quotes the string, which may hold a password.
            raise ValueError(
                "the connection string cannot be read; write postgresql://user@host:port/database "
                "or host=… port=… dbname=…"
            ) from None

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the driver's keywords, with our defaults for what was not given."""
        seconds = max(1, min(_DEFAULTS["connect_timeout"], math.ceil(self.call_timeout)))
        return {**_DEFAULTS, "connect_timeout": seconds, **self._given}

    def connect(
        self, purpose: str | None = None, *, prepare_threshold: int | None = None
    ) -> TimedConnection:
        """Open a connection in autocommit mode; raises ``psycopg.Error``.

        With a purpose it is one that stays, and that the server lists by it.
        """
        parameters = self.parameters if purpose is None else self.parameters_for(purpose)
        connection = TimedConnection.connect(
            autocommit=True, prepare_threshold=prepare_threshold, **parameters
        )
        connection.call_timeout = self.call_timeout
        return connection

    def parameters_for(self, purpose: str) -> dict[str, Any]:
        """Return the keywords for a connection that stays, and that the server lists by purpose."""
        name = self._setting("application_name", "PGAPPNAME") or "sayiir"
        return {
            **self.parameters,
            "application_name": f"{name} {purpose}",
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not appear in any text, the longest first."""
        known = [self._given.get("password"), self._given.get("sslpassword")]
        found = {str(secret) for secret in (*known, os.environ.get("PGPASSWORD")) if secret}
        return tuple(sorted(found, key=len, reverse=True))

    def __str__(self) -> str:
        host = self._setting("host", "PGHOST") or self._setting("hostaddr", "PGHOSTADDR")
        port = self._setting("port", "PGPORT") or "5432"
        database = self._setting("dbname", "PGDATABASE")
        place = f"{host or 'localhost'}:{port}"
        return f"{place}/{database}" if database else place

    def _setting(self, name: str, variable: str) -> str | None:
        value = self._given.get(name) or os.environ.get(variable)
        return str(value) if value else None
