"""One who listens for hints, and can tell a new one from those that come late."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Condition
from types import TracebackType
from typing import Final, Self

from sayiir_core.ports.wakeup import HintKind, Wakeup

PATIENCE: Final = timedelta(seconds=30)
"""How long a hint may take before its test fails."""

_LOOK_AGAIN_SECONDS: Final = 0.02


class Listener:
    """Subscribe to one kind for the length of a ``with`` block and count the hints.

    A hint may come late, so one that follows a call may belong to a call before it. ``settle``
    waits until no hint has come for the time ``quiet``; what comes then belongs to what follows.
    """

    def __init__(
        self,
        wakeup: Wakeup,
        kind: HintKind,
        *,
        quiet: timedelta,
        patience: timedelta = PATIENCE,
    ) -> None:
        """Subscribe, and know of no hint yet."""
        self._quiet = quiet
        self._patience = patience
        self._news = Condition()
        self.count = 0
        self.subscription = wakeup.subscribe(kind, self._hear)

    def __enter__(self) -> Self:
        """Return the listener."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the subscription."""
        self.subscription.close()

    def settle(self) -> None:
        """Wait until nothing is on its way, from this process or from others."""
        self._await_no_trouble()
        known = self.count
        while self.reaches(known + 1, within=self._quiet):
            known = self.count

    def hears(self, call: Callable[[], object]) -> bool:
        """Make a call and tell whether a hint follows, at once or while patience lasts."""
        self.settle()
        before = self.count
        call()
        return self.reaches(before + 1)

    def reaches(self, count: int, *, within: timedelta | None = None) -> bool:
        """Tell whether so many hints have come, as soon as they have or the time is over."""
        time_limit = self._patience if within is None else within
        with self._news:
            return self._news.wait_for(
                lambda: self.count >= count, timeout=time_limit.total_seconds()
            )

    def _await_no_trouble(self) -> None:
        deadline = time.monotonic() + self._patience.total_seconds()
        while (trouble := self.subscription.trouble) is not None:
            assert time.monotonic() < deadline, f"hints do not arrive: {trouble}"
            with self._news:
                self._news.wait(_LOOK_AGAIN_SECONDS)

    def _hear(self) -> None:
        with self._news:
            self.count += 1
            self._news.notify_all()
