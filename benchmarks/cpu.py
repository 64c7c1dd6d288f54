"""The CPU time of this process and of all that it has started, which other load does not lengthen.

How this works. Linux gives every process a clock of its CPU time, in nanoseconds, and tells for every
process which one is its parent, and how long those computed that have ended and were awaited.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Side

_PROC = Path("/proc")
_PARENT, _FIRST_AWAITED, _END_AWAITED = 1, 13, 15


def is_known() -> bool:
    """Tell whether this system tells the CPU time of other processes, as Linux does."""
    return (_PROC / "self" / "stat").exists()


def of_cpu(side: Side) -> Side:
    """Return a side that takes as many seconds as all processes together compute in it."""

    def measured() -> float:
        others, own = _others(), time.process_time()
        side()
        own = time.process_time() - own
        return own + _others() - others

    return measured


def _others() -> float:
    """Return the seconds of all living descendants, and of those that anybody here awaited."""
    fields = dict(_processes())
    family = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, found in fields.items() if int(found[_PARENT]) in family} - family
        family |= more
        grown = bool(more)
    awaited = sum(
        int(ticks) for pid in family for ticks in fields[pid][_FIRST_AWAITED:_END_AWAITED]
    )
    living = sum(_seconds(pid) for pid in family - {os.getpid()})
    return living + awaited / os.sysconf("SC_CLK_TCK")


def _seconds(pid: int) -> float:
    """Read the clock of a process: the kernel's number for it is made of the process id."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Give the fields of each process that follow its name."""
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            yield int(folder.name), text.rpartition(")")[2].split()
