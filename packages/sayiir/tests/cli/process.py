"""Worker processes as a user starts them, and what they say."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE = 60.0


def wait_until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    """Poll until something holds; fail with what is known then."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, what()
        time.sleep(0.02)


class Command:
    """One running ``sayiir worker``, with a folder for its store, log and files."""

    def __init__(self, folder: Path, *arguments: str, wrapper: Sequence[str] = ()) -> None:
        self.folder = folder
        self._log = folder / "log"
        environment = {
            **os.environ,
            "CLI_FOLDER": str(folder),
            "SAYIIR_DATABASE_URL": f"sqlite:///{folder}/store.db",
        }
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "sayiir", "worker", *arguments],
                cwd=HERE,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        """Return the log so far."""
        return self._log.read_text()

    def wait_for(self, words: str, times: int = 1) -> None:
        """Wait until the log has these words so often."""
        wait_until(lambda: self.said().count(words) >= times, self.said)

    def wait_for_body(self, value: str) -> int:
        """Wait until the task that got this value runs; return its process."""
        path = self.folder / f"{value}.pid"
        wait_until(lambda: path.exists() and path.read_text() != "", self.said)
        return int(path.read_text())

    def let_go(self) -> None:
        """Let the bodies end."""
        (self.folder / "go").touch()

    def children(self) -> list[int]:
        """Return the process ids of the children, in order of their starts."""
        return [int(number) for number in re.findall(r"started \(pid (\d+)\)", self.said())]

    def ask_again(self) -> None:
        """Ask a process that stops to stop at once, until it has heard: quick repeats are one."""
        while "again: giving everything back" not in self.said() and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.2)

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Leave nothing running, however the test ended."""
        self.let_go()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        # Without a parent children drain; that they do is tested, and here only waited for.
        wait_until(lambda: not any(map(is_alive, self.children())), self.said)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
