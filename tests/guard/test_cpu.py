"""The meter of the guards counts what every process of a side computes, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import cpu
import pytest

BURNS = "import time\nwhile time.process_time() < {seconds}: pass\n"

pytestmark = pytest.mark.skipif(not cpu.is_known(), reason="this system tells no CPU time")


@pytest.fixture
def living() -> Iterator[subprocess.Popen[str]]:
    """Give a process that computes for a fifth of a second when it is told so, and lives on."""
    code = f"input()\n{BURNS.format(seconds=0.2)}print(flush=True)\ninput()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate("\n")


def _told(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()
    return 0.0


def test_a_living_process_that_was_started_counts(living: subprocess.Popen[str]) -> None:
    """As a server does, or a worker."""
    spent = cpu.of_cpu(lambda: _told(living))()

    assert 0.1 < spent < 0.4


def test_a_process_that_has_ended_counts() -> None:
    """With its start, which computes, too."""
    command = [sys.executable, "-I", "-S", "-c", BURNS.format(seconds=0.2)]

    spent = cpu.of_cpu(lambda: float(subprocess.run(command, check=True).returncode))()

    assert 0.15 < spent < 0.6


def test_waiting_counts_nothing() -> None:
    """However long it lasts, as on a machine where others compute."""

    def waiting() -> float:
        time.sleep(0.3)
        return 0.0

    spent = cpu.of_cpu(waiting)()

    assert spent < 0.1
