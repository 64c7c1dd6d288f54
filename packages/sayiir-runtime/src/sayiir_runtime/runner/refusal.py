"""What a store refuses for good, such as an output above its limit, fails the step that made it.

Left to the caller it would leave the instance as it was, and each resume would call the body anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sayiir_core.engine.advance import advance
from sayiir_core.engine.outcome import Failed, Outcome, Succeeded
from sayiir_core.errors import RefusedRowError
from sayiir_core.snapshot.answer import Answer
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.runner.describe import describe
from sayiir_runtime.runner.hold import Hold


def commit_each(
    commit: Callable[[Sequence[Checkpoint]], list[Answer]],
    definition: Definition,
    holds: Sequence[Hold],
    outcomes: list[Outcome],
    batch: list[Checkpoint],
    now: datetime,
) -> list[Answer]:
    """Commit a batch one by one, and fail what is refused; returns one answer each.

    ``outcomes`` and ``batch`` are changed to what was committed. Raises ``RefusedRowError`` for a
    refused failure.
    """
    answers: list[Answer] = []
    for position, hold in enumerate(holds):
        try:
            answers += commit((batch[position],))
        except RefusedRowError as error:
            outcome = outcomes[position]
            if not isinstance(outcome, Succeeded):
                raise
            failed = Failed(
                error=describe(definition.nodes[hold.claim.cursor.node].path, error),
                retryable=False,
                started_at=outcome.started_at,
                finished_at=outcome.finished_at,
            )
            outcomes[position] = failed
            batch[position] = advance(definition, hold.claim, failed, now=now)
            answers += commit((batch[position],))
    return answers
