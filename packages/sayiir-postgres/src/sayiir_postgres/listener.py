"""Hear the hints of other processes.

How this works: one daemon thread has a connection of its own, says LISTEN and waits. That LISTEN
succeeds proves nothing: behind a pooler in transaction mode it is said on a connection that next
serves somebody else. So the notifier sends a proof, by its own way, while the listener's
connection is idle; only when it came back do hints count as arriving. (Sent on the listener's own
connection it would come back even behind a pooler.) Where nothing was heard for a while the proof
is repeated, which also finds out that the peer vanished without a word.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import psycopg

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.backoff import Backoff
from sayiir_postgres.channel import Channel, Ear, hinted_by_others, proof
from sayiir_postgres.notifier import Notifier

logger = logging.getLogger("sayiir.postgres")

_IN_VAIN: Final = "hints of other processes do not arrive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a listener is, in seconds.

    ``proof``: how long a proof may take. ``quiet``: how long nothing is heard until the next
    proof. ``outage`` and ``silence``: the first and the longest delay before the next attempt,
    after an error, and where all worked but nothing came back.
    """

    proof: float = 10.0
    quiet: float = 30.0
    outage: tuple[float, float] = (0.1, 10.0)
    silence: tuple[float, float] = (30.0, 600.0)


class _UnheardError(Exception):
    """Report that nothing comes back, and after which delays to try again."""

    def __init__(self, why: str, delays: Backoff) -> None:
        super().__init__(why)
        self.why = why
        self.delays = delays


class Listener:
    """Call ``hint`` with the kinds of the hints of other senders, from ``start`` to ``stop``.

    ``trouble`` says why they do not arrive at the moment, None if they do. ``silence`` is the
    reason that is told where nothing arrives although everything seems to work.
    """

    def __init__(
        self,
        channel: Channel,
        notifier: Notifier,
        token: str,
        hint: Callable[[AbstractSet[HintKind]], None],
        *,
        silence: str,
        pace: Pace,
    ) -> None:
        self.trouble: str | None = f"{_IN_VAIN} yet: connecting to {channel.address}"
        self._channel = channel
        self._notifier = notifier
        self._token = token
        self._hint = hint
        self._silence_text = silence
        self._pace = pace
        self._outage, self._silence = Backoff(*pace.outage), Backoff(*pace.silence)
        self._told: set[Backoff] = set()
        self._proofs = 0
        self._stopping = threading.Event()
        self._bell, self._cord = socket.socketpair()
        self._thread = threading.Thread(target=self._work, name="sayiir-listener", daemon=True)

    def start(self) -> None:
        """Begin; opens nothing on the caller's thread."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; repeatable."""
        self._stopping.set()
        self._cord.close()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended, unless it is this one."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _work(self) -> None:
        with self._bell:
            while not self._stopping.is_set():
                try:
                    with closing(Ear(self._channel, self._bell)) as ear:
                        self._listen(ear)
                except (psycopg.Error, OSError) as error:
                    delay = self._complain(self._channel.error(error), self._outage)
                except _UnheardError as error:
                    delay = self._complain(error.why, error.delays)
                else:
                    return
                self._stopping.wait(delay)

    def _listen(self, ear: Ear) -> None:
        """Listen until stopped, or until it fails."""
        ear.listen()
        if self._is_proved(ear):
            self._note_success()
            while self._passes_on(ear.hear(self._pace.quiet)) or self._is_proved(ear):
                pass
            if not self._stopping.is_set():
                lost = f"the connection to {self._channel.address} does not answer any more"
                raise _UnheardError(lost, self._outage)
            return
        ear.withdraw()
        if self._stopping.is_set():
            return
        if self._notifier.trouble is not None:
            raise _UnheardError(self._notifier.trouble, self._outage)
        raise _UnheardError(self._silence_text, self._silence)

    def _is_proved(self, ear: Ear) -> bool:
        """Let the notifier say something, and tell whether it was heard in time."""
        self._proofs += 1
        awaited = proof(self._token, self._proofs)
        if not self._stopping.is_set():
            self._notifier.prove(awaited)
        deadline = time.monotonic() + self._pace.proof
        while not self._stopping.is_set() and (left := deadline - time.monotonic()) > 0:
            heard = ear.hear(left)
            self._passes_on(heard)
            if awaited in heard:
                return True
        return False

    def _passes_on(self, heard: list[str]) -> bool:
        """Give a hint if others gave some; tell whether anything was heard."""
        hints = Counter[HintKind]()
        for payload in heard:
            hints.update(hinted_by_others(payload, self._token))
        if hints:
            self._notifier.heard(hints)
            self._hint(hints.keys())
        return bool(heard)

    def _note_success(self) -> None:
        if self._told:
            logger.info("hints of other processes arrive again at %s", self._channel.address)
        self._told.clear()
        self._outage.reset()
        self._silence.reset()
        self.trouble = None
        # What was said meanwhile is lost.
        self._hint(frozenset(HintKind))

    def _complain(self, why: str, delays: Backoff) -> float:
        """Tell why nothing arrives, in the log once; return how long to wait, in seconds."""
        self.trouble = f"{_IN_VAIN}: {why}"
        if delays not in self._told:
            self._told.add(delays)
            logger.warning(self.trouble)
        return delays.next()
