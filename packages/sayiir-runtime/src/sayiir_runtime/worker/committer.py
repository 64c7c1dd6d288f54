"""The thread that commits what has ended.

How this works: while one batch is on its way to the store, what ends queues up and leaves with the
next one: a group commit without waiting for company. An answer that is unclear is asked for again by
sending the same batch; it is never guessed. What a store refuses for a reason that does not pass
is taken out of the batch and tried alone, so that it delays nobody else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ports.checkpoints import CheckpointStore
from sayiir_core.snapshot.answer import Answer, Lost, LostReason
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.outage import Outage

logger = logging.getLogger("sayiir.worker")

_ALONE_AGAIN_SECONDS: Final = 1.0


class Committer:
    """Commit batches of one desk.

    ``after`` is called when answers have changed the desk; ``session_lost`` when the store calls
    the session ended. ``gate`` is held from the sending of a batch until its answers are taken.
    """

    def __init__(
        self,
        desk: Desk,
        checkpoints: CheckpointStore,
        outage: Outage,
        *,
        after: Callable[[], None],
        session_lost: Callable[[Held], None],
    ) -> None:
        self.gate: Final = threading.Lock()
        self._desk = desk
        self._checkpoints = checkpoints
        self._outage = outage
        self._after = after
        self._session_lost = session_lost
        self._changed = threading.Condition()
        self._is_waiting = False
        self._is_stopping = False
        self._is_aborted = False
        self._alone: list[Held] = []

    def wake(self) -> None:
        """Look for something to commit."""
        if self._is_waiting:
            with self._changed:
                self._changed.notify()

    def stop(self, *, abort: bool = False) -> None:
        """End once everything is committed, or with ``abort`` at once."""
        with self._changed:
            self._is_stopping = True
            self._is_aborted = self._is_aborted or abort
            self._changed.notify()
        self._outage.wake()

    def run(self) -> None:
        """Commit until stopped."""
        while self._wait():
            batch = self._desk.batch()
            if batch:
                self._commit(batch)
                self._after()
            for held in self._take_alone():
                self._commit([held])
                self._after()

    def _wait(self) -> bool:
        with self._changed:
            self._is_waiting = True
            while not self._desk.has_ended() and not self._is_stopping:
                self._changed.wait(_ALONE_AGAIN_SECONDS if self._alone else None)
                if self._alone:
                    break
            self._is_waiting = False
        return not self._is_aborted and (not self._is_stopping or self._desk.has_ended())

    def _take_alone(self) -> list[Held]:
        alone, self._alone = self._alone, []
        return alone

    def _commit(self, batch: list[Held]) -> None:
        while not self._is_aborted:
            with self.gate:
                error = self._send(batch)
            if error is None:
                return
            if isinstance(error, BackendError) and error.transient:
                self._outage.wait(error)
            elif len(batch) > 1:
                for held in batch:
                    self._commit([held])
                return
            else:
                self._put_aside(batch[0], error)
                return

    def _send(self, batch: list[Held]) -> Exception | None:
        checkpoints = [held.checkpoint for held in batch if held.checkpoint is not None]
        try:
            answers = self._checkpoints.commit(checkpoints)
        except Exception as error:  # noqa: BLE001 - a defect of an adapter must not end the thread
            return error
        self._outage.over()
        self._desk.counts.commits += 1
        self._desk.answered(batch, answers)
        self._look_for_end(batch, answers)
        return None

    def _look_for_end(self, batch: list[Held], answers: list[Answer]) -> None:
        for held, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Lost) and answer.why is LostReason.SESSION_ENDED:
                self._session_lost(held)
                return

    def _put_aside(self, held: Held, error: Exception) -> None:
        logger.error(
            "instance %s: a step cannot be stored, and its result is kept for another try: %r",
            held.claim.lease.instance_id,
            error,
        )
        self._alone.append(held)
