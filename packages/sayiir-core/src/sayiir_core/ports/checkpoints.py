"""The port through which every step of every run is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.answer import Answer
from sayiir_core.snapshot.effect import Checkpoint


class PartlyAnsweredError(BackendError):
    """Report that nothing is known of a part of a batch: ``answers`` has None for each of these.

    For stores that consist of several, of which one cannot be reached. Always transient.
    """

    def __init__(self, message: str, answers: Sequence[Answer | None]) -> None:
        super().__init__(message, transient=True)
        self.answers = tuple(answers)


class CheckpointStore(Protocol):
    """Write checkpoints."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Apply checkpoints as ``sayiir_core.snapshot.apply`` says; one answer each, in order.

        Each is atomic and durable when answered. The batch equals its checkpoints applied one by
        one in list order; concurrent batches equal some serial order. A guard that does not hold,
        or whose session has ended, changes nothing and answers ``Lost``. A repeated checkpoint
        answers ``Committed(replayed=True)``. A checkpoint with a row that the
        store can never hold (a payload over its limit) changes nothing and answers ``Refused``;
        the others are stored. Raises ``BackendError``; the caller repeats the batch. Of a store that
        consists of several it may be ``PartlyAnsweredError``; the caller may repeat the rest alone.
        """
        ...
