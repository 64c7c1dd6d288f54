"""The throw-away PostgreSQL server: private, restartable, and gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from sayiir_pytest.postgres_server import PostgresServer, PostgresUnavailable, find_binaries

_STARTER = """
import sys
from sayiir_pytest.postgres_server import PostgresServer
server = PostgresServer().start()
print(server.pid, server.folder, flush=True)
sys.stdin.read()
"""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that nobody has reaped yet has ended all the same.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or ") Z " not in status.read_text()


def _becomes_true(condition: Callable[[], bool], *, within: float) -> bool:
    deadline = time.monotonic() + within
    pulse = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pulse.wait(0.02)
    return True


def test_serves_databases_that_are_fresh_and_dropped(postgres_server: PostgresServer) -> None:
    """A created database answers, and is refused after it was dropped."""
    dsn = postgres_server.create_database("fresh")
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()

    postgres_server.drop_database("fresh")

    assert tables == (0,)
    with pytest.raises(psycopg.OperationalError, match='"fresh" does not exist'):
        psycopg.connect(dsn)


def test_copies_what_the_template_holds(postgres_server: PostgresServer) -> None:
    """A database made from another one starts with that one's tables and rows."""
    with psycopg.connect(postgres_server.create_database("pattern")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")

    dsn = postgres_server.create_database("copy", template="pattern")

    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
    postgres_server.drop_database("copy")
    postgres_server.drop_database("pattern")


def test_drops_a_database_that_is_still_in_use(postgres_server: PostgresServer) -> None:
    """A leaked connection is ended, not waited for."""
    with psycopg.connect(postgres_server.create_database("busy")) as leaked:
        postgres_server.drop_database("busy")

        with pytest.raises(psycopg.OperationalError):
            leaked.execute("SELECT 1")


def test_says_why_a_database_cannot_be_created(postgres_server: PostgresServer) -> None:
    """The server's own words reach the caller."""
    with pytest.raises(RuntimeError, match='"postgres" already exists'):
        postgres_server.create_database("postgres")


def test_keeps_committed_rows_and_address_over_a_crash(postgres_binaries: None) -> None:
    """An immediate stop loses nothing that was acknowledged, and clients find the same port."""
    with PostgresServer(fsync=True) as server:
        dsn, first_pid = server.dsn, server.pid
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")

        server.restart("immediate")

        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert first_pid != server.pid


def test_leaves_neither_process_nor_folder_behind(postgres_binaries: None) -> None:
    """After the block the server has ended and its files are gone."""
    with PostgresServer(settings={"max_connections": "7"}) as server:
        pid, folder = server.pid, server.folder
        with psycopg.connect(server.dsn) as connection:
            limit = connection.execute("SHOW max_connections").fetchone()

    assert limit == ("7",)
    assert not _lives(pid)
    assert not folder.exists()


def test_a_stopped_server_refuses_connections_until_it_is_started(postgres_binaries: None) -> None:
    """Stop keeps the data, so that an unreachable database can be tested and brought back."""
    with PostgresServer() as server:
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn)

        server.start()

        psycopg.connect(server.dsn).close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ends_with_the_process_that_started_it(postgres_binaries: None, number: int) -> None:
    """A killed starter leaves neither a server nor a folder behind."""
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        pid, folder = starter.stdout.readline().split()
        lived = _lives(int(pid))

        starter.send_signal(number)
        starter.wait()

    assert lived
    assert _becomes_true(lambda: not _lives(int(pid)), within=30)
    assert _becomes_true(lambda: not Path(folder).exists(), within=30)


def test_reports_a_setting_that_the_server_refuses(postgres_binaries: None) -> None:
    """The server's log is part of the error, and nothing stays behind."""
    server = PostgresServer(settings={"shared_buffers": "many"})

    with pytest.raises(PostgresUnavailable, match="shared_buffers"), server:
        pass

    with pytest.raises(RuntimeError, match="call start"):
        _ = server.folder


def test_names_the_places_where_no_binaries_are(tmp_path: Path) -> None:
    """Without PostgreSQL the reason tells where it was looked for, and what to install."""
    with pytest.raises(PostgresUnavailable, match=f"{tmp_path}.*install the PostgreSQL server"):
        find_binaries([str(tmp_path / "*" / "bin")])


def test_prefers_the_newest_version(tmp_path: Path) -> None:
    """Version 15 is newer than 9.6, which sorts after it as text."""
    for version in ("9.6", "15", "13"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for program in ("initdb", "postgres", "psql"):
            (folder / program).touch()

    assert tmp_path / "15" / "bin" == find_binaries([str(tmp_path / "*" / "bin")])
