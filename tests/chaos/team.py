"""Worker processes of a scenario, as a user would start them: by the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent


class Team:
    """Processes of ``sayiir worker`` that serve the flows of this folder."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.log = folder / "bodies.log"
        self.output = folder / "workers.log"
        self._environment = {
            **os.environ,
            "CHAOS_LOG": str(self.log),
            "SAYIIR_DATABASE_URL": url,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def employ(self, name: str, *options: str, ttl: str = "3s") -> subprocess.Popen[bytes]:
        """Start a worker."""
        command = [sys.executable, "-m", "sayiir", "worker", "flows", f"--worker-id={name}"]
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [*command, f"--claim-ttl={ttl}", *options],
                cwd=FOLDER,
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)
        return process

    def starts(self) -> Counter[str]:
        """Return how often each body was started, by instance and body."""
        return Counter(" ".join(line.split()[:2]) for line in self._lines())

    def moments(self, what: str) -> list[float]:
        """Return when each body of that name started."""
        return [float(line.split()[3]) for line in self._lines() if line.split()[1] == what]

    def said(self) -> str:
        """Return all that the workers have logged."""
        return self.output.read_text()

    def wait_for_start(self, what: str, number: int = 1, timeout: float = 60.0) -> None:
        """Wait until a body of that name has started so often."""
        until = time.monotonic() + timeout
        while len(self.moments(what)) < number:
            assert time.monotonic() < until, self.said()
            time.sleep(0.02)

    def dismiss(self) -> list[int]:
        """End every process in good order; return the exit codes."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        return [process.wait(60) for process in self.processes]

    def _lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []
