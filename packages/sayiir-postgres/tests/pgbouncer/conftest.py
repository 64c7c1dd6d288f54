"""Serve the private PostgreSQL behind a private PgBouncer, in transaction mode."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sayiir_pytest.postgres_programs import server_account, server_environment
from sayiir_pytest.postgres_server import PostgresServer

# Ends the program as soon as the test process is gone, however that died. It runs under our own
# account, because another one may not be able to read our Python.
_GUARD = """
import pwd, subprocess, sys
account = pwd.getpwnam(sys.argv[1]) if sys.argv[1] else None
rights = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
program = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, **rights)
sys.stdin.buffer.read()
program.kill()
program.wait()
"""

_SETTINGS = """
[databases]
postgres = host={host} port={server_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = transaction
default_pool_size = 30
max_client_conn = 500
syslog = 0
log_connections = 0
log_disconnections = 0
"""


class Bouncer(NamedTuple):
    """A running PgBouncer: its address, that of the server behind it, and its log."""

    dsn: str
    server: str
    log: Path


@pytest.fixture(scope="session")
def pgbouncer_program() -> str:
    """Skip where PgBouncer is not installed; fail there if SAYIIR_REQUIRE_PGBOUNCER=1."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        reason = "no pgbouncer on PATH or in /usr/sbin; install the package pgbouncer"
        if os.environ.get("SAYIIR_REQUIRE_PGBOUNCER") == "1":
            pytest.fail(f"PgBouncer is required here: {reason}", pytrace=False)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="session")
def bouncer(postgres_server: PostgresServer, pgbouncer_program: str) -> Iterator[Bouncer]:
    """Serve the cluster of this process's tests at a second address."""
    server = conninfo_to_dict(postgres_server.dsn)
    account = server_account() or ""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # The server's folder is readable for its account, and goes with it.
    folder = postgres_server.folder
    users, settings, log = (folder / f"pgbouncer.{it}" for it in ("users", "ini", "log"))
    users.write_text('"postgres" ""\n')
    values = {"host": server["host"], "server_port": server["port"], "port": port, "users": users}
    settings.write_text(_SETTINGS.format(**values))
    command = [sys.executable, "-I", "-S", "-c", _GUARD, account, pgbouncer_program, str(settings)]
    with log.open("wb") as output:
        guard = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=server_environment(),
            start_new_session=True,
        )
    try:
        dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        _await(dsn, guard, log)
        yield Bouncer(dsn, postgres_server.dsn, log)
    finally:
        guard.communicate()


def _await(dsn: str, guard: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until connections are accepted; the driver tries again while they are refused."""
    for _ in range(600):
        try:
            psycopg.connect(dsn, connect_timeout=30).close()
        except psycopg.OperationalError:
            try:
                guard.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            return
    pytest.fail(f"pgbouncer does not come up:\n{log.read_text()}", pytrace=False)
