"""What belongs to this process and to no child of it.

How this works: SQLite keeps, per file and process, notes about the locks that it holds. A child
made by ``fork`` inherits the notes but not the locks, and would go on by them even on connections
of its own, until it loses data. So nothing may be open while a process forks: just before, each
database is brought to rest and its connections are closed; the parent opens new ones when it
needs them, and so does the child, which knows of nothing open.

The state here is the process's own, which is why a module holds it. It also holds, per file, one
lock, on which all writers of this process queue instead of polling the file against each other,
and who wants to be told of what they write.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from sayiir_core.ports.wakeup import HintKind


class AtFork(Protocol):
    """What must not be open while the process forks."""

    @property
    def path(self) -> str:
        """Return the absolute path of the file."""
        ...

    def rest(self) -> None:
        """Let current reads end, let none begin, and close everything."""
        ...

    def wake(self) -> None:
        """Go on as before, in the parent."""
        ...

    def wake_in_child(self) -> None:
        """Forget what belongs to the parent."""
        ...


Listener = tuple[HintKind, Callable[[], None]]
"""What somebody wants to be told, and how to tell it."""


class ProcessFile:
    """What all databases of this process that are on one file have in common.

    ``writing`` is held by whoever writes. ``listeners`` are called after writes that may have made
    something claimable or ended a run; each change of them is a new tuple, made under ``guard``.
    """

    __slots__ = ("__weakref__", "guard", "listeners", "writing")

    def __init__(self) -> None:
        self.writing = threading.Lock()
        self.guard = threading.Lock()
        self.listeners: tuple[Listener, ...] = ()

    def tell(self, kinds: AbstractSet[HintKind]) -> None:
        """Call the listeners for these kinds; nobody holds a lock of this file meanwhile."""
        for kind, listener in self.listeners:
            if kind in kinds:
                listener()

    def wake_in_child(self) -> None:
        """Replace the locks, which threads of the parent may have held."""
        self.writing = threading.Lock()
        self.guard = threading.Lock()


class ProcessFiles:
    """The databases of this process and their files."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._files: weakref.WeakValueDictionary[str, ProcessFile] = weakref.WeakValueDictionary()
        self._members: weakref.WeakSet[AtFork] = weakref.WeakSet()
        self._resting: list[AtFork] = []
        self._taken: list[threading.Lock] = []

    def join(self, member: AtFork) -> ProcessFile:
        """Take part in forks; returns what the member shares with the others on its file."""
        with self._guard:
            self._members.add(member)
            return self._file(member.path)

    def _file(self, path: str) -> ProcessFile:
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = ProcessFile()
        return file

    def before_fork(self) -> None:
        """Wait until nobody writes or reads, and close everything."""
        self._guard.acquire()
        self._resting = list(self._members)
        paths = sorted({it.path for it in self._resting})
        self._taken = [self._file(path).writing for path in paths]
        for lock in self._taken:
            lock.acquire()
        for member in self._resting:
            member.rest()

    def after_fork_in_parent(self) -> None:
        """Let everybody go on."""
        resting, self._resting = self._resting, []
        taken, self._taken = self._taken, []
        for member in resting:
            member.wake()
        for lock in taken:
            lock.release()
        self._guard.release()

    def after_fork_in_child(self) -> None:
        """Start with fresh locks: other threads, which might hold more of them, are gone."""
        resting = self._resting
        self._guard = threading.Lock()
        self._resting, self._taken = [], []
        for file in list(self._files.values()):
            file.wake_in_child()
        for member in resting:
            member.wake_in_child()


PROCESS: Final = ProcessFiles()
"""The one object of its kind, because there is one process."""

os.register_at_fork(
    before=PROCESS.before_fork,
    after_in_parent=PROCESS.after_fork_in_parent,
    after_in_child=PROCESS.after_fork_in_child,
)
