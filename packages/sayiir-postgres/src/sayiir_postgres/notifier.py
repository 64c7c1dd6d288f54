"""Hint to other processes what they may want to know, off the path of the callers.

How this works: a hint sets a flag, one for each kind. One daemon thread sends a NOTIFY for all that
were given since its last one, on a connection of its own: within the transactions of the data it
would make their commits queue up behind each other. The first hint leaves at once. Then its kind
rests, for longer while hints of the kind keep coming, and for longer the more of the kind are heard
from other processes meanwhile: who waits for such hints was woken by those, so all processes
together say about as much as one (ADR 10). The other kind does not rest along: a worker that waits
for work is not woken by ends.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

import psycopg

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.backoff import Backoff
from sayiir_postgres.channel import Channel, Speaker, hint_text

SHORTEST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.01
_LONGEST_SHARED_PAUSE: Final = 0.25
_LINGER: Final = 60.0
_FAREWELL: Final = 1.0


class _Rest:
    """The pause of one kind of hint after one was sent, on the monotonic clock."""

    __slots__ = ("_began", "_pause", "heard")

    def __init__(self) -> None:
        self._began = -math.inf
        self._pause = 0.0
        self.heard = 0

    @property
    def over(self) -> float:
        """Return when it is over."""
        return self._began + min(self._pause * (1 + self.heard), _LONGEST_SHARED_PAUSE)

    def begin(self, now: float, *, given: float) -> None:
        """Begin with a hint that is sent now, and was given then: in the last rest, or after it."""
        is_kept_coming = given < self.over
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if is_kept_coming else SHORTEST_PAUSE
        self._began, self.heard = now, 0


class _Outbox:
    """What one thread has to send, by kind since when, and how it is woken and stopped."""

    __slots__ = ("due", "lingers", "proof", "stopping", "thread", "waiting")

    def __init__(self) -> None:
        self.due: dict[HintKind, float] = {}
        self.lingers = False
        self.proof: str | None = None
        self.waiting = threading.Event()
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None


class Notifier:
    """Send the hints and proofs of one sender.

    ``trouble`` says why nothing can be sent, None if it can. The thread and its connection come
    with the first hint and go after a minute without one.
    """

    def __init__(self, channel: Channel, token: str) -> None:
        self.trouble: str | None = None
        self._channel = channel
        self._token = token
        self._lock = threading.Lock()
        self._outbox: _Outbox | None = None
        self._rests = {kind: _Rest() for kind in HintKind}

    def hint(self, kinds: AbstractSet[HintKind]) -> None:
        """Let a hint of each kind leave soon; returns at once and never raises."""
        outbox = self._outbox
        # One that is due but not yet sent comes after whatever the caller has committed.
        if outbox is None or not kinds <= outbox.due.keys():
            self._post(kinds, None)

    def prove(self, payload: str) -> None:
        """Let this payload leave at once, in place of one that has not left yet."""
        self._post(frozenset(), payload)

    def heard(self, hints: Mapping[HintKind, int]) -> None:
        """Take note of hints that others gave, of each kind so many."""
        for kind, count in hints.items():
            self._rests[kind].heard += count

    def stop(self) -> None:
        """Send what is due, for at most a second, and close; a later hint starts anew."""
        with self._lock:
            outbox, self._outbox = self._outbox, None
            if outbox is None or outbox.thread is None:
                return
            outbox.stopping.set()
            outbox.waiting.set()
        if self.trouble is None:
            outbox.thread.join(_FAREWELL)

    def _post(self, kinds: AbstractSet[HintKind], proof: str | None) -> None:
        # A process that ends can start no thread any more; its hint is lost, as any may be.
        with self._lock, suppress(RuntimeError):
            outbox = self._outbox or self._begin()
            now = time.monotonic()
            for kind in kinds:
                outbox.due.setdefault(kind, now)
            outbox.proof = proof or outbox.proof
            # At the end of a rest the thread wakes up by itself, unless the rest was over when it
            # fell asleep and has grown since, by hints of others.
            is_over = outbox.lingers or any(self._rests[kind].over <= now for kind in kinds)
            if proof is not None or is_over:
                outbox.waiting.set()

    def _begin(self) -> _Outbox:
        outbox = _Outbox()
        outbox.thread = threading.Thread(
            target=self._work, args=(outbox,), name="sayiir-notifier", daemon=True
        )
        outbox.thread.start()
        self._outbox = outbox
        return outbox

    def _work(self, outbox: _Outbox) -> None:
        speaker = Speaker(self._channel)
        try:
            while self._has_something(outbox):
                self._deliver(outbox, speaker)
        finally:
            self._leave(outbox)
            speaker.close()

    def _has_something(self, outbox: _Outbox) -> bool:
        """Wait for something that may leave; False when it is time to end."""
        while True:
            with self._lock:
                if outbox.stopping.is_set():
                    return bool(outbox.due) or outbox.proof is not None
                seconds = self._rest(outbox, time.monotonic())
                if seconds == 0:
                    return True
                outbox.waiting.clear()
                outbox.lingers = seconds is None
            if outbox.waiting.wait(_LINGER if seconds is None else seconds) or seconds is not None:
                continue
            with self._lock:
                if not outbox.waiting.is_set():
                    self._forget(outbox)
                    return False

    def _rest(self, outbox: _Outbox, now: float) -> float | None:
        """Return after how many seconds something may leave, or None if nothing is in sight."""
        if outbox.proof is not None:
            return 0.0
        left = [
            it.over - now for kind, it in self._rests.items() if kind in outbox.due or it.over > now
        ]
        return max(0.0, min(left)) if left else None

    def _deliver(self, outbox: _Outbox, speaker: Speaker) -> None:
        """Send what may leave, trying until it is sent or never will be."""
        delays = Backoff(0.1, 5.0)
        delay = 0.0
        while True:
            due, proof = self._take(outbox)
            try:
                if proof is not None:
                    speaker.say(proof)
                if due:
                    speaker.say(hint_text(self._token, due.keys()), often=True)
            except (psycopg.Error, OSError) as error:
                speaker.close()
                self.trouble = self._channel.error(error)
            else:
                self.trouble = None
                self._begin_rests(due)
                return
            if outbox.stopping.wait(delay):
                return
            delay = delays.next()
            self._put_back(outbox, due, proof)

    def _take(self, outbox: _Outbox) -> tuple[dict[HintKind, float], str | None]:
        with self._lock:
            now = time.monotonic()
            is_last = outbox.stopping.is_set()
            due = {
                kind: given
                for kind, given in outbox.due.items()
                if is_last or self._rests[kind].over <= now
            }
            outbox.due = {kind: it for kind, it in outbox.due.items() if kind not in due}
            proof, outbox.proof = outbox.proof, None
        return due, proof

    def _put_back(self, outbox: _Outbox, due: dict[HintKind, float], proof: str | None) -> None:
        with self._lock:
            outbox.due = outbox.due | due
            outbox.proof = outbox.proof or proof

    def _begin_rests(self, due: Mapping[HintKind, float]) -> None:
        with self._lock:
            now = time.monotonic()
            for kind, given in due.items():
                self._rests[kind].begin(now, given=given)

    def _leave(self, outbox: _Outbox) -> None:
        with self._lock:
            self._forget(outbox)

    def _forget(self, outbox: _Outbox) -> None:
        if self._outbox is outbox:
            self._outbox = None
