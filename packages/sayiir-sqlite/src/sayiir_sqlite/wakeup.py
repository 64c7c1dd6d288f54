"""Hints at new work: at once for what this process writes, a moment later for what others write.

How this works: a write that may have made something claimable or ended a run notes that, and when
its transaction has ended and its lock is free, the listeners of this process are called. What
other processes write is only seen to be a write, so it is a hint of every kind. One thread per backend, started by the first
subscription and ended with the last, looks for it often while somebody writes, and less and less
often when nobody does. It holds no reference to its backend, so that a backend that is dropped
takes it along. A forked child has no such thread: it starts when a subscriber asks for trouble.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ports.wakeup import HintKind
from sayiir_sqlite.database import Database

_SHORTEST_SECONDS: Final = 0.02
_LONGEST_SECONDS: Final = 0.25
_GROWTH: Final = 1.1
"""How much longer each fruitless look lets the next one wait: two seconds to the longest wait."""

_logger: Final = logging.getLogger("sayiir.sqlite")


class SQLiteSubscription:
    """One listener for hints of one kind; those at writes of other processes have none."""

    __slots__ = ("_hint", "_is_open", "_wakeup", "kind")

    def __init__(self, wakeup: SQLiteWakeup, kind: HintKind, hint: Callable[[], None]) -> None:
        self._wakeup = wakeup
        self.kind = kind
        self._hint = hint
        self._is_open = True

    @property
    def trouble(self) -> str | None:
        """Return why writes of other processes are not seen at the moment, None if they are."""
        return self._wakeup.find_trouble()

    def give(self) -> None:
        """Call the listener; what it raises is its own affair."""
        if not self._is_open:
            return
        try:
            self._hint()
        except Exception:
            _logger.exception("a listener for hints failed, and is called again with the next one")

    def close(self) -> None:
        """Stop; repeatable."""
        self._is_open = False
        self._wakeup.remove(self)


class SQLiteWakeup:
    """Hint that there may be something to claim, or that a run may have ended."""

    __slots__ = ("__weakref__", "_database", "_stop", "_subscriptions", "_trouble", "_watcher")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscriptions: tuple[SQLiteSubscription, ...] = ()
        self._trouble: str | None = None
        self._watcher: threading.Thread | None = None
        self._stop = threading.Event()

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> SQLiteSubscription:
        """Call ``hint``, quickly and from any thread, whenever there may be what ``kind`` says."""
        subscription = SQLiteSubscription(self, kind, hint)
        file = self._database.file
        with file.guard:
            self._subscriptions = (*self._subscriptions, subscription)
            file.listeners = (*file.listeners, (kind, subscription.give))
            self._watch()
        return subscription

    def remove(self, subscription: SQLiteSubscription) -> None:
        """Call a listener no more; the last one takes the thread along."""
        file = self._database.file
        with file.guard:
            self._subscriptions = tuple(it for it in self._subscriptions if it is not subscription)
            file.listeners = tuple(it for it in file.listeners if it[1] != subscription.give)
            watcher = self._watcher
            if self._subscriptions or watcher is None:
                return
            self._watcher = None
            # Not in a forked child, where it does not run: it may have been held at the fork.
            if watcher.is_alive():
                self._stop.set()

    def find_trouble(self) -> str | None:
        """Return why writes of other processes are not seen at the moment, None if they are."""
        watcher = self._watcher
        if watcher is None or not watcher.is_alive():
            with self._database.file.guard:
                self._watch()
        return self._trouble

    def look(self, pause: float) -> float:
        """Look once; take and return how many seconds to wait between two looks."""
        try:
            is_changed = self._database.look()
        except BackendError as error:
            self._trouble = str(error)
            return _LONGEST_SECONDS
        # Nobody knows what was written while nobody could look.
        is_changed = is_changed or self._trouble is not None
        self._trouble = None
        if not is_changed:
            return min(max(pause, _SHORTEST_SECONDS) * _GROWTH, _LONGEST_SECONDS)
        for subscription in self._subscriptions:
            subscription.give()
        return _SHORTEST_SECONDS

    def look_no_more(self) -> None:
        """Close what looking opened."""
        self._database.look_no_more()

    def _watch(self) -> None:
        """Start the thread unless it runs or nobody listens; the caller holds the file's guard."""
        if not self._subscriptions or (self._watcher is not None and self._watcher.is_alive()):
            return
        self._stop = threading.Event()
        arguments = (weakref.ref(self), self._stop)
        watcher = threading.Thread(
            target=_keep_looking, args=arguments, name="sayiir-sqlite-watch", daemon=True
        )
        try:
            watcher.start()
        except RuntimeError as error:
            self._trouble = f"nobody can look for what other processes write: {error}"
        else:
            self._watcher = watcher


def _keep_looking(to_wakeup: weakref.ref[SQLiteWakeup], stop: threading.Event) -> None:
    pause = 0.0
    while not stop.wait(pause):
        wakeup = to_wakeup()
        if wakeup is None:
            return
        pause = wakeup.look(pause)
        del wakeup
    wakeup = to_wakeup()
    if wakeup is not None:
        wakeup.look_no_more()
