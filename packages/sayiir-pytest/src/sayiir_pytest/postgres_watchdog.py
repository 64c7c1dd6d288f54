"""Outlive a process that started a PostgreSQL server, and clean up after it.

Run as a program: ``python postgres_watchdog.py FOLDER``, with the read end of a pipe as standard
input. The pipe ends when the starter is gone, however it died. If the folder still exists then,
its server is ended by the process id that the server itself wrote there, and the folder removed.
The standard library alone is used, so that the program starts quickly and from any Python.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.05


def main(folder: Path) -> None:
    """Wait for the end of standard input, then end the server in the folder and remove it."""
    sys.stdin.buffer.read()
    data = folder / "data"
    pid = recorded_pid(data)
    if pid is not None:
        _end(pid, data)
    shutil.rmtree(folder, ignore_errors=True)


def is_ready(data: Path, pid: int) -> bool:
    """Tell whether the server with this process id accepts connections."""
    lines = _recorded(data)
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def recorded_pid(data: Path) -> int | None:
    """Return the process id that the server of the data folder recorded, None if none runs."""
    lines = _recorded(data)
    # The second line names the data folder: a file that was copied here is not ours to act on.
    if len(lines) < 2 or Path(lines[1]) != data:
        return None
    return int(lines[0])


def _recorded(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _end(pid: int, data: Path) -> None:
    start = time.monotonic()
    while recorded_pid(data) == pid and time.monotonic() < start + 2 * _GRACE_SECONDS:
        patient = time.monotonic() < start + _GRACE_SECONDS
        try:
            os.kill(pid, signal.SIGQUIT if patient else signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
