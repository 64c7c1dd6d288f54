"""The connections of this process to a store, as the operating system sees them.

Read from ``/proc``, so on Linux only; elsewhere none is seen, and none is missed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_DESCRIPTORS: Final = Path("/proc/self/fd")
_TABLES: Final = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
_ESTABLISHED: Final = "01"


def open_files(path: Path) -> set[str]:
    """Return a line for each descriptor of a file, or of one whose name begins with its name."""
    return {
        f"open file {target} (descriptor {number})"
        for number, target in _targets()
        if target.startswith(str(path))
    }


def open_sockets(port: int) -> set[str]:
    """Return a line for each connection of this process to a server at a port."""
    peers = dict(_peers(port))
    return {
        f"connection to {peers[target]} (descriptor {number})"
        for number, target in _targets()
        if target in peers
    }


def _targets() -> Iterator[tuple[str, str]]:
    if not _DESCRIPTORS.is_dir():
        return
    for number in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - one name of it is gone at once
        # The listing itself had a descriptor, which is closed by now.
        with contextlib.suppress(OSError):
            yield number, str((_DESCRIPTORS / number).readlink())


def _peers(port: int) -> Iterator[tuple[str, str]]:
    """Yield the name of each socket whose peer has the port, with that peer in words."""
    for table in _TABLES:
        if not table.is_file():
            continue
        for line in table.read_text().splitlines()[1:]:
            words = line.split()
            peer, state, inode = words[2], words[3], words[9]
            if state == _ESTABLISHED and int(peer.rpartition(":")[2], 16) == port:
                yield f"socket:[{inode}]", f"the server at port {port}"
