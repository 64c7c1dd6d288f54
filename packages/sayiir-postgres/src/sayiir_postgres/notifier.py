"""Hint to other processes that there may be something to do, off the path of the callers.

How this works: a hint sets a flag. One daemon thread sends a NOTIFY for all that were given since
its last one, on a connection of its own: within the transactions of the data it would make their
commits queue up behind each other. The first hint leaves at once. Then comes a pause, that grows
while hints keep coming, and that grows with the number of hints of other processes heard meanwhile:
who is idle was woken by those, so all processes together say about as much as one (ADR 10).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

import psycopg

from sayiir_postgres.backoff import Backoff
from sayiir_postgres.channel import Channel, Speaker

SHORTEST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.01
_LONGEST_SHARED_PAUSE: Final = 0.25
_LINGER: Final = 60.0
_FAREWELL: Final = 1.0


class _Outbox:
    """What one thread has to send, and how it is woken and stopped."""

    __slots__ = ("due", "proof", "stopping", "thread", "waiting")

    def __init__(self) -> None:
        self.due = False
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
        self._heard = 0

    def hint(self) -> None:
        """Let a hint leave soon; returns at once and never raises."""
        outbox = self._outbox
        # One that is due but not yet sent comes after whatever the caller has committed.
        if outbox is None or not outbox.due:
            self._post(None)

    def prove(self, payload: str) -> None:
        """Let this payload leave at once, in place of one that has not left yet."""
        self._post(payload)

    def heard(self, hints: int) -> None:
        """Take note of hints that others gave."""
        self._heard += hints

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

    def _post(self, proof: str | None) -> None:
        # A process that ends can start no thread any more; its hint is lost, as any may be.
        with self._lock, suppress(RuntimeError):
            outbox = self._outbox
            if outbox is None:
                outbox = _Outbox()
                outbox.thread = threading.Thread(
                    target=self._work, args=(outbox,), name="sayiir-notifier", daemon=True
                )
                outbox.thread.start()
                self._outbox = outbox
            if proof is None:
                outbox.due = True
            else:
                outbox.proof = proof
            outbox.waiting.set()

    def _work(self, outbox: _Outbox) -> None:
        speaker = Speaker(self._channel)
        pause = SHORTEST_PAUSE
        try:
            while self._has_something(outbox):
                self._heard = 0
                if self._deliver(outbox, speaker):
                    self._pause(outbox, pause)
                pause = min(2 * pause, LONGEST_PAUSE) if outbox.due else SHORTEST_PAUSE
        finally:
            self._leave(outbox)
            speaker.close()

    def _has_something(self, outbox: _Outbox) -> bool:
        """Wait for something to send; False when it is time to end."""
        if outbox.waiting.wait(_LINGER):
            return outbox.due or outbox.proof is not None
        with self._lock:
            if outbox.waiting.is_set():
                return True
            self._forget(outbox)
            return False

    def _deliver(self, outbox: _Outbox, speaker: Speaker) -> bool:
        """Send what waits, trying until it is sent or never will be; tell if that was a hint."""
        delays = Backoff(0.1, 5.0)
        delay = 0.0
        while True:
            due, proof = self._take(outbox)
            try:
                if proof is not None:
                    speaker.say(proof)
                if due:
                    speaker.say(self._token, often=True)
            except (psycopg.Error, OSError) as error:
                speaker.close()
                self.trouble = self._channel.error(error)
            else:
                self.trouble = None
                return due
            if outbox.stopping.wait(delay):
                return False
            delay = delays.next()
            self._put_back(outbox, due, proof)

    def _take(self, outbox: _Outbox) -> tuple[bool, str | None]:
        with self._lock:
            taken = outbox.due, outbox.proof
            outbox.due, outbox.proof = False, None
            if not outbox.stopping.is_set():
                outbox.waiting.clear()
        return taken

    def _put_back(self, outbox: _Outbox, due: bool, proof: str | None) -> None:
        with self._lock:
            outbox.due = outbox.due or due
            outbox.proof = outbox.proof or proof

    def _pause(self, outbox: _Outbox, pause: float) -> None:
        waited, goal = 0.0, pause
        while waited < goal and not outbox.stopping.wait(goal - waited):
            waited, goal = goal, min(pause * (1 + self._heard), _LONGEST_SHARED_PAUSE)

    def _leave(self, outbox: _Outbox) -> None:
        with self._lock:
            self._forget(outbox)

    def _forget(self, outbox: _Outbox) -> None:
        if self._outbox is outbox:
            self._outbox = None
