"""Hint at new work inside the process.

How this works: a call that changes something notes, under the store's lock, what a listener may
want to know, and tells it after it has released the lock: a hint may call the store. Notes are
counted, not flagged, so that one made while another thread tells is never lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sayiir_core.ports.wakeup import HintKind

_logger: Final = logging.getLogger("sayiir.memory")


class Notes:
    """What there is to tell of one kind."""

    __slots__ = ("_noted", "_told")

    def __init__(self) -> None:
        self._noted = self._told = 0

    def note(self) -> None:
        """Note something; the caller holds the store's lock."""
        self._noted += 1

    def take(self) -> bool:
        """Tell whether anything was noted since the last call."""
        noted = self._noted
        is_news = noted != self._told
        self._told = noted
        return is_news


class Hints:
    """The listeners of a store, and whether there is something to tell them, by its kind."""

    __slots__ = ("_listening", "claimable", "ended", "listeners")

    def __init__(self) -> None:
        self._listening = threading.Lock()
        self.claimable, self.ended = Notes(), Notes()
        self.listeners: tuple[MemorySubscription, ...] = ()

    def tell(self) -> None:
        """Give a hint if there is something to tell; the caller does not hold the store's lock."""
        if self.claimable.take():
            self._tell(HintKind.CLAIMABLE)
        if self.ended.take():
            self._tell(HintKind.ENDED)

    def _tell(self, kind: HintKind) -> None:
        for listener in self.listeners:
            if listener.kind is kind:
                try:
                    listener.hint()
                except Exception:
                    _logger.exception("a listener for hints failed; it should only note the hint")

    def add(self, listener: MemorySubscription) -> None:
        """Tell a listener whatever is noted from now on."""
        with self._listening:
            if not self.listeners:
                self.claimable.take()
                self.ended.take()
            self.listeners = (*self.listeners, listener)

    def remove(self, listener: MemorySubscription) -> None:
        """Tell a listener nothing more."""
        with self._listening:
            self.listeners = tuple(it for it in self.listeners if it is not listener)


class Turn:
    """The store's lock for a call that may change something; its release gives the hints."""

    __slots__ = ("_hints", "_lock")

    def __init__(self, lock: threading.Lock, hints: Hints) -> None:
        self._lock = lock
        self._hints = hints

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self._hints.listeners:
            self._hints.tell()


class MemorySubscription:
    """One listener of this process, to whom nothing gets lost."""

    __slots__ = ("_hints", "hint", "kind")

    def __init__(self, hints: Hints, kind: HintKind, hint: Callable[[], None]) -> None:
        self._hints = hints
        self.kind = kind
        self.hint = hint

    @property
    def trouble(self) -> str | None:
        """Return None: no other process is concerned."""
        return None

    def close(self) -> None:
        """Stop; repeatable."""
        self._hints.remove(self)


class MemoryWakeup:
    """The wake-up port of the memory backend: hints come on the thread that made the change."""

    __slots__ = ("_hints",)

    def __init__(self, hints: Hints) -> None:
        self._hints = hints

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> MemorySubscription:
        """Call ``hint`` whenever there may be what ``kind`` says."""
        subscription = MemorySubscription(self._hints, kind, hint)
        self._hints.add(subscription)
        return subscription
