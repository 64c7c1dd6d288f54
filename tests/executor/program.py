"""Programs that tests start, stop and fork: ``python -m tests.executor.program NAME ARGUMENT…``."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sayiir import Flow, run_workflow
from tests.executor import bodies
from tests.executor.conftest import pid_in


def run(function: Any, value: Any) -> Any:
    """Return what a task returns."""
    return run_workflow(Flow("f").then(function).build(), value)


def hold(place: str) -> None:
    """Wait for a body that never ends."""
    run(bodies.holds, place)


def use(place: str) -> None:
    """Use a child, tell its pid, and end."""
    Path(place).write_text(str(run(bodies.where, 1)))


def fork(place: str) -> None:
    """Use a child before, in and after a fork, and tell its pid each time."""
    pids = [run(bodies.where, 1)]
    copy = os.fork()
    if copy == 0:
        Path(f"{place}.copy").write_text(str(run(bodies.where, 1)))
        sys.exit(0)
    _, status = os.waitpid(copy, 0)
    pids += [run(bodies.where, 1), status]
    Path(place).write_text(" ".join(map(str, [pids[0], pids[1], pids[2]])))


def copy(place: str) -> None:
    """Wait for a body that never ends, in a process that has forked a copy of itself."""
    threading.Thread(target=hold, args=[place], daemon=True).start()
    pid_in(Path(place))
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        sys.exit(0)
    Path(f"{place}.copy").write_text(str(pid))
    time.sleep(60)


if __name__ == "__main__":
    {"hold": hold, "use": use, "fork": fork, "copy": copy}[sys.argv[1]](*sys.argv[2:])
