"""One thread that watches all runs whose end somebody awaits.

How this works: whoever waits leaves a callback with the run, and costs no more than that. The
thread reads the headers of the awaited runs, a thousand at a time, at an adaptive pace and at hints
of the store, and hands each ended run to its callbacks. A run that was just added is looked at at
once, alone, and in every turn of its first seconds, so that many old ones do not delay it; but not
at once if it was created here and no end was hinted at since. The thread begins with the first run and ends a moment after the last one: nobody has to close it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count, islice
from typing import Final

from sayiir_core.errors import BackendError, InstanceNotFoundError
from sayiir_core.ids import RunKey
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.wakeup import HintKind, Subscription
from sayiir_core.snapshot.head import Head, Header, InstanceState
from sayiir_runtime.client.end import End, end_of
from sayiir_runtime.client.pace import Pace
from sayiir_runtime.client.rota import TURN, Rota

logger = logging.getLogger("sayiir.client")

LINGER_SECONDS: Final = 1.0
"""How long the thread stays when nothing is awaited: the next one often comes at once."""

_LOOK_SECONDS: Final = 0.05
"""How soon it notices meanwhile that its store was closed, which its hints would open again."""

_LIVE: Final = frozenset({InstanceState.RUNNING, InstanceState.PAUSED})

Settle = Callable[[End], None]
"""Take in how a run ended, quickly, on the watcher's thread; never raises."""


Mark = tuple[Subscription, int]
"""Up to where hints have come: to whom, and how many."""


class Watcher:
    """Tell when runs of a backend have ended."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        # Each callback with its number, by which a look knows those that came too late for it.
        self._awaited: dict[RunKey, dict[Settle, int]] = {}
        self._fresh: dict[RunKey, None] = {}
        self._rota = Rota()
        self._numbers = count()
        # How many turns a hint has brought forward: as many as it takes to look at all.
        self._owed = 0
        self._hints = 0
        self._subscription: Subscription | None = None
        self._is_cut_off = False
        self._thread: threading.Thread | None = None
        self._pace = Pace()

    def mark(self) -> Mark | None:
        """Return up to where hints of ends have come, None while they do not arrive."""
        subscription = self._subscription
        if subscription is None or self._pid != os.getpid() or subscription.trouble is not None:
            return None
        return subscription, self._hints

    def watch(self, run: RunKey, settle: Settle, *, unended: Mark | None = None) -> None:
        """Call ``settle`` once when the run has ended, unless it is forgotten before.

        ``unended`` is a mark from before the run was created.
        """
        if self._pid != os.getpid():
            # A forked child has its parent's lists, but not the thread that serves them.
            self._begin()
        with self._changed:
            now = time.monotonic()
            if self._awaited:
                self._pace.hurry()
            else:
                self._pace.begin(now)
            self._awaited.setdefault(run, {})[settle] = next(self._numbers)
            if unended is None or unended != self.mark():
                self._fresh[run] = None
            self._rota.add(run, now)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="sayiir-watcher", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def forget(self, run: RunKey, settle: Settle) -> None:
        """Call ``settle`` no more; repeatable."""
        if self._pid != os.getpid():
            return
        with self._changed:
            self._remove(run, [settle])

    def _remove(self, run: RunKey, removed: Iterable[Settle]) -> None:
        settles = self._awaited.get(run, {})
        for settle in removed:
            settles.pop(settle, None)
        if not settles:
            self._awaited.pop(run, None)
            self._fresh.pop(run, None)
            self._rota.remove(run)

    # The thread.

    def _serve(self) -> None:
        subscription = self._subscription = self._subscribe()
        try:
            while True:
                self._pace.is_hearing = subscription is not None and subscription.trouble is None
                look = self._next()
                if look is None:
                    return
                look()
        finally:
            if subscription is not None:
                subscription.close()

    def _subscribe(self) -> Subscription | None:
        try:
            wakeup = self._backend.wakeup
            return None if wakeup is None else wakeup.subscribe(HintKind.ENDED, self._hint)
        except Exception as error:  # noqa: BLE001 - a thread that ends here leaves all waiting
            logger.warning("results are polled for, because the store gives no hints: %r", error)
            return None

    def _hint(self) -> None:
        with self._changed:
            self._hints += 1
            if not self._owed:
                self._changed.notify()
            self._owed = 1 + len(self._awaited) // TURN

    def _next(self) -> Callable[[], object] | None:
        """Wait for the next look and return it, None to end the thread."""
        idle_since, epoch = time.monotonic(), self._backend.epoch
        with self._changed:
            while True:
                now = time.monotonic()
                if not self._awaited:
                    left = idle_since + LINGER_SECONDS - now
                    if left <= 0 or self._backend.epoch != epoch:
                        self._thread = self._subscription = None
                        return None
                    self._changed.wait(min(left, _LOOK_SECONDS))
                    continue
                due = self._pace.soonest if self._owed else self._pace.due
                if now >= due:
                    return self._turn(now)
                if self._fresh and not self._is_cut_off:
                    return partial(
                        self._look, self._no_longer_fresh(list(islice(self._fresh, TURN)))
                    )
                self._changed.wait(due - now)

    def _turn(self, now: float) -> Callable[[], object]:
        self._owed = max(0, self._owed - 1)
        share = min(1.0, TURN / len(self._rota))
        return partial(self._take_turn, self._no_longer_fresh(self._rota.take(now)), share)

    def _no_longer_fresh(self, runs: list[RunKey]) -> list[RunKey]:
        for run in runs:
            self._fresh.pop(run, None)
        return runs

    def _take_turn(self, runs: list[RunKey], share: float) -> None:
        started = time.monotonic()
        found = self._look(runs)
        with self._changed:
            self._pace.looked(started, time.monotonic(), found=found, share=share)

    def _look(self, runs: list[RunKey]) -> bool:
        """Look at some runs, and return whether any has ended."""
        try:
            return self._settle_ended(runs)
        except BackendError as error:
            if not self._is_cut_off:
                logger.warning("the store cannot be reached; results are awaited on: %s", error)
            self._is_cut_off = True
            return False

    def _settle_ended(self, runs: list[RunKey]) -> bool:
        """Settle what has ended of some runs; raises a transient ``BackendError``."""
        # Who comes after this was read may wait for something later, such as the end of a retry.
        latest = next(self._numbers)
        try:
            ends = self._ends(runs)
        except Exception as error:
            if isinstance(error, BackendError) and error.transient:
                raise
            # It would come again for ever, and those who wait would never know.
            ends = [(run, error) for run in runs]
        if self._is_cut_off:
            self._is_cut_off = False
            logger.info("the store can be reached again")
        for run, end in ends:
            self._settle(run, end, latest)
        return bool(ends)

    def _settle(self, run: RunKey, end: End, latest: int) -> None:
        with self._changed:
            waiting = self._awaited.get(run, {})
            settles = [settle for settle, number in waiting.items() if number < latest]
            self._remove(run, settles)
        for settle in settles:
            settle(end)

    def _ends(self, runs: list[RunKey]) -> list[tuple[RunKey, End]]:
        ids = list(dict.fromkeys(run.instance_id for run in runs))
        headers = dict(zip(ids, self._backend.instances.headers(ids), strict=True))
        ends: list[tuple[RunKey, End]] = []
        for run in runs:
            header = headers[run.instance_id]
            if header is not None and header.state in _LIVE and header.run_id == run.run_id:
                continue
            end = self._end(run, header)
            if end is not None:
                ends.append((run, end))
        return ends

    def _end(self, run: RunKey, header: Header | None) -> End | None:
        if header is None:
            return InstanceNotFoundError(run.instance_id)
        end = end_of(run, Head(header))
        if isinstance(end, Head) and header.state is not InstanceState.COMPLETED:
            # What was stopped may still have a body that runs, which only the cursors tell.
            try:
                return end_of(run, self._backend.instances.load(run.instance_id))
            except InstanceNotFoundError as error:
                return error
        return end
