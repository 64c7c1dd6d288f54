"""The way of events from those who cause them to the sinks.

How this works: whoever causes an event appends it to a queue per sink and goes on, or leaves the facts that
it will be made of; a thread per sink takes what has come together and hands it over. So a sink that is slow, or raises, costs
neither a run nor another sink anything: its queue is bounded, and what does not fit is counted and
dropped. The thread is started by the first event, and again in a forked child.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sayiir_core.ports.telemetry import ALL_EVENTS, Event, EventsDropped, TelemetrySink
from sayiir_runtime.telemetry.drafts import Drafts, Tell

logger = logging.getLogger("sayiir.telemetry")

MOST_EVENTS: Final = 50_000
BATCH_EVENTS: Final = 32
"""Few enough that whoever waits for the interpreter, as a run back from its store, waits shortly."""

MANY_EVENTS: Final = 1_000
"""A sink whose queue holds as many does not give way any more."""

_PAUSE_SECONDS: Final = 0.2
_WAY_SECONDS: Final = 50e-6
_SILENCE_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletReport:
    """What became of the events for one sink; ``trouble`` is what it raised last."""

    sink: str
    taken: int
    waiting: int
    dropped: int
    failures: int
    trouble: str | None


class Outlet:
    """Pass events on to some sinks."""

    def __init__(self, sinks: Iterable[TelemetrySink]) -> None:
        self._drafts = Drafts(self._put)
        lines = [(_Line(sink, self._drafts), sink.kinds) for sink in sinks]
        self._pid = 0
        self._beginning = threading.Lock()
        self._lines = tuple(line for line, _ in lines)
        if lines:
            # Of each outlet by itself: what is younger ends first, so this before its providers.
            atexit.register(_flush, weakref.ref(self))
        self._of_kind = {
            kind: tuple(line for line, kinds in lines if kind in kinds) for kind in ALL_EVENTS
        }

    def wants(self, kind: type) -> bool:
        """Tell whether any sink takes a kind of events."""
        return bool(self._of_kind[kind])

    def emit(self, event: Event) -> None:
        """Take an event; never waits and never raises."""
        if self._drafts:
            self._drafts.add(event)
        else:
            self._put(event)

    def later(self, tell: Tell, *facts: Any) -> None:
        """Take what events are made of: on the thread of a sink, ``tell(*facts)`` returns them."""
        if self._pid != os.getpid():
            self._begin()
        self._drafts.add((tell, facts))

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until every sink has taken what was emitted before; False if one has not."""
        until = time.monotonic() + timeout
        self.settle()
        flushed = [line.flush(until) for line in self._lines]
        return all(flushed)

    def settle(self) -> None:
        """Make the events of what was left for later, in this thread."""
        if self._pid == os.getpid():
            self._drafts.write_all()

    def close(self, timeout: float = 5.0) -> None:
        """Flush, and close the sinks; later events are dropped. Repeatable."""
        until = time.monotonic() + timeout
        self.settle()
        for line in self._lines:
            line.close(until)

    def report(self) -> list[OutletReport]:
        """Return what became of the events, sink by sink."""
        return [line.report() for line in self._lines]

    def _put(self, event: Event) -> None:
        for line in self._of_kind[type(event)]:
            line.put(event)

    def _begin(self) -> None:
        with self._beginning:
            # Several threads may be the first, in a forked child as well; whoever comes later waits here.
            if self._pid == os.getpid():
                return
            self._drafts.begin()
            for line in self._lines:
                line.start()
            self._pid = os.getpid()


def _flush(reference: weakref.ref[Outlet]) -> None:
    outlet = reference()
    if outlet is not None:
        outlet.flush(_LAST_SECONDS)


class _Line:
    """The queue and the thread of one sink."""

    def __init__(self, sink: TelemetrySink, drafts: Drafts) -> None:
        self._sink = sink
        self._drafts = drafts
        self._name = type(sink).__name__
        self._events: deque[Event] = deque()
        self._put = self._taken = self._dropped = self._failures = self._told = 0
        self._tells_drops = EventsDropped in sink.kinds
        self._trouble: str | None = None
        self._said = float("-inf")
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._moved = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        if self._pid != os.getpid():
            self._renew()
        if self._is_closed or len(self._events) >= MOST_EVENTS:
            self._dropped += 1
            return
        self._events.append(event)
        self._put += 1
        if self._thread is None:
            self.start()

    def _renew(self) -> None:
        # What the parent had not passed on yet, the parent passes on.
        self._events.clear()
        self._put = self._taken = 0
        self._begin()

    def start(self) -> None:
        if self._pid != os.getpid():
            self._renew()
        with self._lock:
            if self._thread is not None or self._is_closed:
                return
            thread = threading.Thread(
                target=self._serve, name=f"sayiir-telemetry-{self._name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # No thread can be had now; the next event asks again.
                return
            self._thread = thread

    def _serve(self) -> None:
        while True:
            batch = self._next()
            if batch is None:
                return
            try:
                self._sink.receive(batch)
            except Exception as error:  # noqa: BLE001 - the boundary around a sink
                self._fail(error)
            # A run that is back from its store shall not wait until the interpreter takes itself back
            # from this thread. A sleep of nothing would not do: it ends before a waiting thread wakes up.
            time.sleep(_WAY_SECONDS if len(self._events) < MANY_EVENTS else 0)
            with self._moved:
                self._taken += len(batch)
                self._moved.notify_all()

    def _next(self) -> Sequence[Event] | None:
        """Return what has come together, None when it is closed and nothing is left."""
        self._drafts.write(BATCH_EVENTS)
        while not self._events:
            if self._is_closed:
                return None
            if self._drafts:
                # None of what was made is for this sink; go on at once, but let others in between.
                time.sleep(_WAY_SECONDS)
                self._drafts.write(BATCH_EVENTS)
                continue
            with self._moved:
                self._moved.wait(_PAUSE_SECONDS)
        events = self._events
        batch = [events.popleft() for _ in range(min(len(events), BATCH_EVENTS))]
        dropped = self._dropped - self._told
        if dropped and self._tells_drops:
            # What takes their place was never put.
            self._told += dropped
            self._put += 1
            batch.append(EventsDropped(datetime.now(UTC), dropped))
        return batch

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self._trouble = f"{type(error).__name__}: {error}"
        moment = time.monotonic()
        if moment - self._said > _SILENCE_SECONDS:
            self._said = moment
            logger.warning(
                "telemetry sink %s failed (%d times so far), and its events are lost: %s",
                self._name,
                self._failures,
                self._trouble,
            )

    def flush(self, until: float) -> bool:
        target = self._put
        if self._thread is None and target > self._taken:
            self.start()
        with self._moved:
            while self._taken < target:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._moved.notify_all()
                self._moved.wait(min(left, _PAUSE_SECONDS))
        return True

    def close(self, until: float) -> None:
        if self._is_closed:
            return
        self.flush(until)
        with self._moved:
            self._is_closed = True
            self._moved.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(max(0.0, until - time.monotonic()))
        try:
            self._sink.close()
        except Exception as error:  # noqa: BLE001 - the boundary around a sink
            self._fail(error)

    def report(self) -> OutletReport:
        return OutletReport(
            sink=self._name,
            taken=self._taken,
            waiting=len(self._events),
            dropped=self._dropped,
            failures=self._failures,
            trouble=self._trouble,
        )
