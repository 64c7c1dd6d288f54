"""What a store refuses for good, such as an output above its limit, fails the step that made it.

Left to the caller it would leave the instance as it was, and each resume would call the body anew.
"""

from __future__ import annotations

from sayiir_core.engine.outcome import Failed, Outcome, Succeeded
from sayiir_core.errors import RefusedRowError
from sayiir_core.snapshot.answer import Refused
from sayiir_core.snapshot.step import ErrorRecord


def fail_refused(path: str, outcome: Outcome, refused: Refused) -> Failed:
    """Return the failure of a task whose output the store refuses; it is not retried.

    Raises ``RefusedRowError`` for any other outcome, which nothing can make smaller.
    """
    message = f"the store refuses what task {path!r} returned: {refused.why}"
    if not isinstance(outcome, Succeeded):
        raise RefusedRowError(message)
    return Failed(
        error=ErrorRecord(path=path, type=RefusedRowError.__name__, message=message),
        retryable=False,
        started_at=outcome.started_at,
        finished_at=outcome.finished_at,
    )
