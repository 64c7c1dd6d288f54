"""Whether an event loop still turns: it is asked now and then, and must have answered soon."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from time import monotonic
from typing import Final

logger = logging.getLogger("sayiir.worker")

BLOCKED_SECONDS: Final = 1.0


class LoopCheck:
    """What one loop was asked, and since when it owes the answer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked: float | None = None
        self._is_reported = False

    @property
    def lag(self) -> float:
        """Return for how many seconds the loop has not answered."""
        asked = self._asked
        return 0.0 if asked is None else monotonic() - asked

    @property
    def is_open(self) -> bool:
        """Tell whether an answer is awaited."""
        return self._asked is not None

    def ask(self) -> None:
        """Note that the loop is asked now."""
        self._asked = monotonic()

    def answered(self) -> None:
        """Note that it has answered, or is not there any more."""
        self._asked = None
        self._is_reported = False

    def report(self, paths: Iterable[str]) -> None:
        """Say once that a coroutine blocks the loop, if it has not answered for long."""
        lag = self.lag
        if lag <= BLOCKED_SECONDS or self._is_reported:
            return
        self._is_reported = True
        logger.warning(
            "the event loop of %s has not turned for %.1f s; one of its tasks blocks it, and "
            "all others wait: %s",
            self._name,
            lag,
            ", ".join(sorted(set(paths))),
        )
