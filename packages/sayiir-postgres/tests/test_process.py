"""What proves that a process of this host is gone, or that it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sayiir_postgres.process import Fate, ProcessIdentity, fate_of

pytestmark = pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="this system does not tell of its processes"
)


def test_this_process_is_alive() -> None:
    """Recognise it by pid and start time."""
    own = ProcessIdentity.own()

    assert own.kernel is not None
    assert Fate.ALIVE is fate_of(own.pid, own.start)


def test_another_process_under_the_same_pid_proves_the_first_one_gone() -> None:
    """Tell them apart by their start times."""
    own = ProcessIdentity.own()
    assert own.start is not None

    assert Fate.GONE is fate_of(own.pid, own.start - 1)


def test_a_dead_process_is_gone_before_its_parent_collects_it() -> None:
    """Count a process that only waits to be collected as gone, and afterwards too."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{child.pid}/stat").read_text()
    start = int(stat.rpartition(")")[2].split()[19])
    before = fate_of(child.pid, start)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    uncollected = fate_of(child.pid, start)
    child.communicate()

    assert [Fate.ALIVE, Fate.GONE, Fate.GONE] == [before, uncollected, fate_of(child.pid, start)]


def test_a_process_without_a_start_time_is_unknown() -> None:
    """Prove nothing where a system did not tell the start time."""
    assert Fate.UNKNOWN is fate_of(os.getpid(), None)
