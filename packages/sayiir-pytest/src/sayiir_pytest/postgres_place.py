"""Where the tests of one process have their PostgreSQL: a throw-away server, or one that is named."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_pytest.postgres_server import PostgresServer, PostgresUnavailable

if TYPE_CHECKING:
    from sayiir_postgres import PostgresBackend

URL_VARIABLE: Final = "SAYIIR_TEST_DATABASE_URL"
REQUIRE_VARIABLE: Final = "SAYIIR_REQUIRE_POSTGRES"
_PORT: Final = 5432


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database, and a schema in it that belongs to this process."""

    url: str
    schema: str

    @property
    def port(self) -> int:
        """Return the port of the server."""
        return urlsplit(self.url).port or _PORT

    def backend(self, clock: Clock) -> Backend:
        """Return a backend on it; fails the test if the adapter is not installed."""
        return _adapter()(self.url, schema=self.schema, clock=clock)


@contextmanager
def postgres_place() -> Generator[PostgresPlace]:
    """Give a schema on the database of the variable, dropped at the end; or a server of its own.

    Skips where there is neither a variable nor a PostgreSQL to start; fails there instead if
    ``SAYIIR_REQUIRE_POSTGRES=1``.
    """
    _adapter()
    url = os.environ.get(URL_VARIABLE)
    schema = f"sayiir_test_{_process()}_{uuid.uuid4().hex[:8]}"
    if url is None:
        with _server() as server:
            yield PostgresPlace(server.dsn, schema)
        return
    from sayiir_postgres import drop_schema

    try:
        yield PostgresPlace(url, schema)
    finally:
        drop_schema(url, schema)


@contextmanager
def _server() -> Generator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
    except PostgresUnavailable as error:
        server.close()
        text = f"no PostgreSQL: {error}; or name a database in {URL_VARIABLE}"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    with server:
        yield server


def _process() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def _adapter() -> type[PostgresBackend]:
    try:
        # The driver is loaded here, and may lack its library.
        from sayiir_postgres import PostgresBackend
    except ImportError as error:
        pytest.fail(
            f"the PostgreSQL store cannot be used ({error}); install it with: "
            f"pip install 'sayiir-pytest[postgres]'",
            pytrace=False,
        )
    return PostgresBackend
