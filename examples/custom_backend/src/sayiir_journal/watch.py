"""Hints for whoever waits: a thread per listener looks whether the file has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from sayiir_core.ports.wakeup import HintKind

_LOGGER = logging.getLogger("sayiir_journal")
_LOOK_SECONDS = 0.05


class FileWatch:
    """The wake-up port: any change of the file is a hint of any kind, of whatever process it is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def subscribe(self, _: HintKind, hint: Callable[[], None]) -> FileSubscription:
        """Call ``hint`` from a thread of its own whenever the file has changed."""
        return FileSubscription(self._path, hint)


class FileSubscription:
    """One listener."""

    def __init__(self, path: Path, hint: Callable[[], None]) -> None:
        self._path = path
        self._hint = hint
        self._closed = Event()
        self._seen = self._look()
        Thread(target=self._watch, name="sayiir-journal-watch", daemon=True).start()

    @property
    def trouble(self) -> str | None:
        """Return None: a file that cannot be looked at has not changed either."""
        return None

    def close(self) -> None:
        """Stop; repeatable."""
        self._closed.set()

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            before, self._seen = self._seen, self._look()
            if self._seen != before:
                try:
                    self._hint()
                except Exception:
                    _LOGGER.exception("a listener for hints failed")
