"""The processes of other engines: started at the first request, ended by their id."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from peer_install import RECIPES, Installed, NotInstallableError, installed

SCRIPTS = Path(__file__).resolve().parent / "peers"
_PATIENCE_SECONDS = 100.0


class PeerError(Exception):
    """Report why a peer has given no number."""


class PeerProcess:
    """A process that measures on request; one that hangs is ended, and started anew when asked.

    Its workers are of its process group, so they end with it.
    """

    def __init__(
        self,
        name: str,
        script: Path,
        environment: Installed,
        log: Path,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        """Start a script below ``peers/``; it has so many seconds to answer each request."""
        self.name = name
        self.environment = environment
        self._script = script
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._log = log.open("w")
        hello = self._started()
        self.offers: Mapping[str, list[str]] = hello["offers"]
        self.lacks: Mapping[str, str] = hello["lacks"]

    def ask(self, workload: str, **parameters: Any) -> Mapping[str, Any]:
        """Return an answer, see ``peers/protocol.py``.

        Raises:
            PeerError: It has reported an error, has ended, or was ended as it did not answer.
        """
        if self._process is None:
            self._started()
        assert self._process is not None
        stdin = _open(self._process.stdin)
        try:
            stdin.write(f"{workload} {json.dumps(parameters)}\n".encode())
            stdin.flush()
        except BrokenPipeError:
            self.end()
            raise PeerError(f"it ended before {workload}") from None
        answer = self._heard(workload)
        if "error" in answer:
            raise PeerError(f"{workload} failed: {answer['error']}")
        return answer

    def end(self) -> None:
        """End the process with its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process, self._buffer = None, b""

    def close(self) -> None:
        """End it for good."""
        self.end()
        self._log.close()

    def _started(self) -> Mapping[str, Any]:
        self._process = subprocess.Popen(
            [str(self.environment.python), str(self._script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        return self._heard("its start")

    def _heard(self, asked: str) -> Mapping[str, Any]:
        """Return its next line, or end it if there is none in time."""
        assert self._process is not None
        output = _open(self._process.stdout).fileno()
        deadline = time.monotonic() + self._patience
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(output, 65_536) if ready else b""
            if not piece:
                self.end()
                if ready:
                    raise PeerError(f"it ended at {asked}")
                raise PeerError(f"ended, as {asked} had no answer in {self._patience:g} s")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: Mapping[str, Any] = json.loads(line)
        return answer


@contextmanager
def started_peers() -> Iterator[tuple[dict[str, PeerProcess], dict[str, str]]]:
    """Install and start all peers; give them by name, and the reasons of those that are missing."""
    peers: dict[str, PeerProcess] = {}
    missing: dict[str, str] = {}
    try:
        for name in RECIPES:
            try:
                environment = installed(name)
                log = environment.python.parent.parent / "log.txt"
                script = SCRIPTS / RECIPES[name].script
                peers[name] = PeerProcess(name, script, environment, log)
            except (NotInstallableError, PeerError) as error:
                missing[name] = str(error)
                print(f"without the peer {name}: {error}", file=sys.stderr)
        yield peers, missing
    finally:
        for peer in peers.values():
            peer.close()


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
