"""Give every test of the workspace a private PostgreSQL and the settings of the generators."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings

from sayiir_pytest.postgres_server import PostgresServer, PostgresUnavailable, find_binaries

# Wall-clock deadlines per example would only measure how busy the machine is.
settings.register_profile("exploring", deadline=None, print_blob=True)
# CI must say the same twice; new examples are looked for on developers' machines.
settings.register_profile("steady", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("steady" if os.environ.get("CI") else "exploring")


@pytest.fixture(scope="session")
def postgres_binaries() -> None:
    """Skip where no PostgreSQL is installed; fail there if SAYIIR_REQUIRE_POSTGRES=1."""
    try:
        find_binaries()
    except PostgresUnavailable as error:
        if os.environ.get("SAYIIR_REQUIRE_POSTGRES") == "1":
            pytest.fail(f"PostgreSQL is required here: {error}", pytrace=False)
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def postgres_server(postgres_binaries: None) -> Iterator[PostgresServer]:
    """Serve one throw-away cluster for the tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_dsn(postgres_server: PostgresServer) -> str:
    """Give the address of the cluster's ``postgres`` database, shared by this process's tests."""
    return postgres_server.dsn


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the address of a new, empty database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)
