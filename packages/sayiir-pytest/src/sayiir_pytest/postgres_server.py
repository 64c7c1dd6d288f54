"""Run a private, throw-away PostgreSQL server from the binaries of this machine.

How this works. ``initdb`` writes a cluster into a fresh folder; ``postgres`` serves it on the
loopback interface, at a free port, without a password. Both refuse to run as root, so under root
they run as an unprivileged account. A watchdog process holds a pipe to this one: when this process
is gone, however it died, the watchdog ends the server and removes the folder.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sayiir_pytest import postgres_watchdog
from sayiir_pytest.postgres_programs import (
    PostgresUnavailable,
    find_binaries,
    run,
    server_account,
    spawn,
)

__all__ = ["PostgresServer", "PostgresUnavailable", "StopMode", "find_binaries"]

StopMode = Literal["smart", "fast", "immediate"]
"""How a server stops: after its clients left, after rolling them back, or at once, as by a crash."""

_SIGNALS: Mapping[StopMode, int] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_START_ATTEMPTS = 3
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.02
_WITHOUT_FSYNC = {"fsync": "off", "full_page_writes": "off"}
_INITDB = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")


class PostgresServer:
    """A private server on the loopback interface, with a folder that it takes away at the end.

    Use it as a context manager. Nothing is opened before :meth:`start`. Not thread-safe.
    """

    def __init__(self, *, fsync: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """Choose how the server runs.

        Args:
            fsync: Whether commits reach the disk. Without, a crash of the machine (not one of the
                server) may lose the cluster, which no test can notice.
            settings: Further server settings, as in ``postgresql.conf``.
        """
        self._settings = {**({} if fsync else _WITHOUT_FSYNC), **(settings or {})}
        self._binaries: Path | None = None
        self._account: str | None = None
        self._folder: Path | None = None
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """Return the address of the ``postgres`` database; it stays the same over a restart."""
        return self.dsn_of("postgres")

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        if self._process is None:
            raise RuntimeError("the PostgreSQL server is not running: call start() first")
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Return the folder that holds the cluster and the server's log."""
        if self._folder is None:
            raise RuntimeError("the PostgreSQL server has no folder: call start() first")
        return self._folder

    def dsn_of(self, database: str) -> str:
        """Return the address of one of the server's databases."""
        if not self._port:
            raise RuntimeError("the PostgreSQL server has no address: call start() first")
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> Self:
        """Serve, making the cluster at the first call; return once connections are accepted.

        Raises:
            PostgresUnavailable: There are no binaries, or the server does not come up; the text
                ends with what it printed.
        """
        if self._process is None:
            if self._folder is None:
                self._create_cluster()
            self._serve()
        return self

    def stop(self, mode: StopMode = "fast") -> None:
        """End the server process and keep its data, so that it can be started again."""
        if self._process is not None:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(_PATIENCE_SECONDS)
            self._process = None

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server in the given mode and start it again at the same address."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """End the server and remove its folder; a later start makes a new cluster."""
        self.stop("immediate")
        folder, self._folder, self._port = self._folder, None, 0
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.communicate()

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database as a copy of the template; return its address."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.dsn_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections that are still open to it."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _create_cluster(self) -> None:
        self._binaries = find_binaries()
        self._account = server_account()
        folder = self._folder = Path(tempfile.mkdtemp(prefix="sayiir-postgres-")).resolve()
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", postgres_watchdog.__file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._account is not None:
            shutil.chown(folder, self._account)
        command = [str(self._binaries / "initdb"), "-D", str(folder / "data"), *_INITDB]
        try:
            run(command, folder=folder, account=self._account)
        except RuntimeError as error:
            raise PostgresUnavailable(str(error)) from error

    def _serve(self) -> None:
        """Start the server at its port; at the first start, try another one if that is taken."""
        keeps_port = bool(self._port)
        for _ in range(_START_ATTEMPTS):
            if not keeps_port:
                self._port = _free_port()
            process = self._spawn()
            if self._becomes_ready(process):
                self._process = process
                return
        raise PostgresUnavailable(f"postgres does not come up:\n{self._log.read_text()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert self._binaries is not None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            **self._settings,
        }
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data")]
        command += [word for name in settings for word in ("-c", f"{name}={settings[name]}")]
        return spawn(command, folder=self.folder, log=self._log, account=self._account)

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if postgres_watchdog.is_ready(self.folder / "data", process.pid):
                    return True
            else:
                return False
        process.kill()
        process.wait()
        return False

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _execute(self, statement: str) -> None:
        assert self._binaries is not None
        command = [str(self._binaries / "psql"), "--no-psqlrc", "--quiet", "--no-password"]
        run([*command, "--dbname", self.dsn, "--command", statement], folder=self.folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
