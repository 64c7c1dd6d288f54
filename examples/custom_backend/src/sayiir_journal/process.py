"""What tells this process from every other one of its host, and what became of another.

Linux says when a process began, and names the run of the kernel and the namespace in which process
numbers mean the same. Elsewhere nothing is known, and leases decide.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from sayiir_core.keyvalue import Origin

_DEAD_STATES = {"Z", "X"}


def this_process() -> Origin:
    """Return what names this process."""
    pid = os.getpid()
    kernel, began = _kernel(), _state_and_start(pid)
    mark = f"{kernel} {began[1]}" if kernel and began else ""
    return Origin(socket.gethostname(), pid, mark)


def is_gone(process: Origin) -> bool | None:
    """Tell whether a process of this host has ended, None if that cannot be known here."""
    kernel, _, began = process.mark.rpartition(" ")
    if not kernel or kernel != _kernel():
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _state_and_start(process.pid)
    return None if now is None else now[1] != began or now[0] in _DEAD_STATES


def _kernel() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _state_and_start(pid: int) -> tuple[str, str] | None:
    try:
        # Behind the name of the program, which is in brackets and may hold any sign.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], fields[19]
