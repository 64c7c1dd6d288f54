"""Committing what has ended.

How this works: while one batch is on its way to the store, what ends queues up and leaves with the
next one: a group commit without waiting for company. An answer that is unclear is asked for again by
sending the same batch; it is never guessed. A batch that a store refuses for a reason that does
not pass is sent again one by one, and what fails alone is kept for a later try: it delays nobody, as
fresh steps take turns with it. So is what one of several stores behind one backend does not answer,
while the others do. A batch that fails again and again is halved: it may be one row that somebody locks.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.ports.checkpoints import CheckpointStore, PartlyAnsweredError
from sayiir_core.snapshot.answer import Answer, Lost, LostReason
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held, Phase
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import Script, perform

logger = logging.getLogger("sayiir.worker")

IDLE: Final = 1.0
_ASIDE_SECONDS: Final = 1.0
_MOST_ASIDE: Final = 1000
_PATIENCE: Final = 8
"""How often a batch is sent before it is halved: an outage is no reason, so it takes a while."""

_PATIENCE_WITH_A_PART: Final = 2

LEAST_BESIDE: Final = 100
"""How many checkpoints are worth a batch beside one that is under way."""


class Committer:
    """Commit batches of one desk, from one thread.

    ``after`` is called when answers have changed the desk; ``session_lost`` when the store calls
    the session ended. A desk may have a second one beside it, which waits until at ``least`` so
    many have ended while the first awaits an answer, so that the store works while this process
    does. It also takes over what nobody has committed for a second.
    """

    def __init__(
        self,
        desk: Desk,
        checkpoints: CheckpointStore,
        outage: Outage,
        *,
        after: Callable[[], None],
        session_lost: Callable[[SessionId], None],
        least: int = 1,
    ) -> None:
        self._desk = desk
        self._least = least
        self._beside = least > 1
        self._checkpoints = checkpoints
        self._outage = outage
        self._after = after
        self._session_lost = session_lost
        self._changed = threading.Condition()
        self._is_waiting = False
        self._has_waited = False
        self._is_stopping = False
        self._unsent: deque[list[Held]] = deque()
        self._failures = 0
        self._is_asides_turn = True
        self._aside: deque[tuple[float, list[Held]]] = deque()
        desk.aside[self] = 0

    def wake(self) -> None:
        """Look for something to commit."""
        if self._is_waiting and self._can_commit():
            with self._changed:
                self._changed.notify()

    def stop(self) -> None:
        """End before the next batch."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Commit until stopped."""
        while not self._is_stopping:
            try:
                seconds = perform(self.turn())
            except Exception:
                logger.exception("committing failed, trying again")
                self._desk.gate.end_commit(self)
                seconds = IDLE
            if seconds > 0:
                self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._is_waiting = True
            is_clear = self._outage.trouble is None
            if not self._is_stopping and not (is_clear and self._can_commit()):
                self._has_waited = not self._changed.wait(seconds)
            self._is_waiting = False

    def _can_commit(self) -> bool:
        least = 1 if self._has_waited else self._least
        return self._desk.can_commit(least, beside=self._beside)

    def turn(self) -> Script[float]:
        """Send one batch; return how long to wait if nobody wakes this, in seconds."""
        if not self._desk.gate.begin_commit(self, beside=self._beside):
            return IDLE
        batch = self._next()
        if not batch:
            self._desk.gate.end_commit(self)
            return IDLE
        checkpoints = [held.checkpoint for held in batch if held.checkpoint is not None]
        try:
            answers: Sequence[Answer] = yield partial(self._checkpoints.commit, checkpoints)
        except PartlyAnsweredError as error:
            pairs = list(zip(batch, error.answers, strict=True))
            known = [(held, answer) for held, answer in pairs if answer is not None]
            self._settle([held for held, _ in known], [answer for _, answer in known])
            self._keep([held for held, answer in pairs if answer is None])
        except BackendError as error:
            if error.transient:
                self._send_again(batch)
                return self._outage.note(error)
            self._set_apart(batch, error)
        except Exception as error:  # noqa: BLE001 - a defect of an adapter must not end the worker
            self._set_apart(batch, error)
        else:
            self._settle(batch, answers)
        return 0.0

    def _send_again(self, batch: list[Held]) -> None:
        """Ask for the answer again; in parts if it never comes, and a single one only now and then.

        That one awaits no answer then, as far as the gate is concerned: what it was given by a
        commit that nobody heard of, the next reconciliation gives back.
        """
        self._failures += 1
        if self._failures < (_PATIENCE_WITH_A_PART if self._unsent else _PATIENCE):
            self._unsent.appendleft(batch)
            return
        self._failures = 0
        if len(batch) > 1:
            middle = len(batch) // 2
            self._unsent.extendleft((batch[middle:], batch[:middle]))
            return
        self._keep(batch)
        self._leave_gate()

    def _leave_gate(self) -> None:
        """Await no answer any more, unless other parts of a batch are still unclear."""
        if not self._unsent:
            self._desk.gate.end_commit(self)

    def _settle(self, batch: list[Held], answers: Sequence[Answer]) -> None:
        self._outage.over()
        self._failures = 0
        self._desk.counts.commits += 1
        self._take(batch, answers)
        self._leave_gate()
        self._look_for_end(batch, answers)
        self._after()

    def _take(self, batch: list[Held], answers: Sequence[Answer]) -> None:
        try:
            self._desk.answered(batch, answers)
        except Exception:
            # What was not taken is stored, and nobody here knows how it goes on.
            logger.exception("the answers of a commit could not be taken")
            self._desk.forget_unanswered(batch)

    def _next(self) -> list[Held]:
        if self._unsent:
            return self._unsent.popleft()
        self._is_asides_turn = not self._is_asides_turn
        if self._is_asides_turn or not self._can_commit():
            batch = self._next_aside()
            if batch:
                return batch
        # A store that was never reached has no clock, which a batch asks for.
        batch = self._desk.batch() if self._can_commit() else []
        self._has_waited = False
        return batch

    def _next_aside(self) -> list[Held]:
        """Return what was kept and is due, if its session has not ended meanwhile."""
        while self._aside and self._aside[0][0] <= self._desk.monotonic():
            kept = self._aside.popleft()[1]
            self._count_aside()
            batch = [held for held in kept if held.phase is Phase.COMMITTING]
            if batch:
                return batch
        return []

    def _set_apart(self, batch: list[Held], error: Exception) -> None:
        self._leave_gate()
        if len(batch) > 1:
            now = self._desk.monotonic()
            self._aside.extendleft((now, [held]) for held in reversed(batch))
            self._count_aside()
            return
        logger.error(
            "instance %s: a step cannot be stored, and its result is kept for another try: %r",
            batch[0].claim.lease.instance_id,
            error,
        )
        self._keep(batch)

    def _keep(self, batch: list[Held]) -> None:
        """Keep what cannot be stored now for a later try, without a claim to room."""
        for held in batch:
            self._desk.expect_nothing_of(held)
        self._aside.append((self._desk.monotonic() + _ASIDE_SECONDS, batch))
        self._count_aside()

    def _count_aside(self) -> None:
        kept = (held for _, batch in self._aside for held in batch)
        count = sum(held.phase is Phase.COMMITTING for held in kept)
        self._desk.aside[self] = min(_MOST_ASIDE, count)

    def _look_for_end(self, batch: Sequence[Held], answers: Sequence[Answer]) -> None:
        for held, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Lost) and answer.why is LostReason.SESSION_ENDED:
                self._session_lost(held.claim.lease.session)
                return
