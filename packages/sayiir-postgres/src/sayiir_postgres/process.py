"""What tells this process from every other one, and proves on its host that it is gone.

Two processes can be compared if they run under one boot of one kernel and in one pid namespace.
A process is then named by its pid and its start time, since a pid alone is used again.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE: Final = Path("/proc/self/ns/pid")
_START_FIELD: Final = 22
_GONE_STATES: Final = frozenset({"Z", "X", "x"})


class Fate(Enum):
    """What is known of another process of this host."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process: ``kernel`` and ``start`` are None where the system does not tell them."""

    host: str
    kernel: str | None
    pid: int
    start: int | None

    @classmethod
    def own(cls) -> ProcessIdentity:
        """Return the identity of this process."""
        return cls(host=socket.gethostname(), kernel=_kernel(), pid=os.getpid(), start=_own_start())


def fate_of(pid: int, start: int | None) -> Fate:
    """Return what became of a process of this kernel and pid namespace that began at ``start``."""
    if start is None:
        return Fate.UNKNOWN
    try:
        running = _start_of(pid)
    except FileNotFoundError:
        return _fate_unseen(pid)
    except OSError:
        return Fate.UNKNOWN
    return Fate.ALIVE if running == start else Fate.GONE


def _fate_unseen(pid: int) -> Fate:
    """Ask the kernel, since the files of other users' processes may be hidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Fate.GONE
    except OSError:
        return Fate.UNKNOWN
    return Fate.UNKNOWN


def _start_of(pid: int) -> int | None:
    """Return the start time in clock ticks since boot, None for a dead process not yet collected."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # The second field is the program's name in parentheses, and may itself hold some.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in _GONE_STATES else int(fields[_START_FIELD - 3])


def _own_start() -> int | None:
    try:
        return _start_of(os.getpid())
    except OSError:
        return None


def _kernel() -> str | None:
    try:
        return f"{_BOOT_ID.read_text(encoding='ascii').strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return None
