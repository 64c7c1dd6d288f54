"""A body that has begun and not ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sayiir_pytest.engine.call import CallKey
from sayiir_pytest.engine.stub import Stub
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.worker.held import Held


@dataclass(slots=True, kw_only=True)
class Running:
    """A body under way.

    ``deadline`` is when it is timed out. ``ends_at`` is when a stub that takes time gives its
    outcome. ``task`` runs a coroutine.
    """

    held: Held
    attempt: Attempt
    deadline: datetime | None
    ends_at: datetime | None = None
    task: asyncio.Task[None] | None = None
    stub: Stub | None = None

    def instants(self) -> Iterator[datetime]:
        """Yield when something happens to it."""
        if self.deadline is not None:
            yield self.deadline
        if self.ends_at is not None:
            yield self.ends_at

    def is_late(self, now: datetime) -> bool:
        """Tell whether it has run into its timeout."""
        return self.deadline is not None and self.deadline <= now

    def abandon(self) -> None:
        """Stop waiting for it."""
        self.attempt.is_set = True
        if self.task is not None:
            self.task.cancel()
        if self.stub is not None:
            self.stub.time_out(self.key, self.attempt.error)

    @property
    def key(self) -> CallKey:
        """Return what names the call."""
        lease, cursor = self.held.claim.lease, self.held.claim.cursor
        attempt = cursor.attempt - cursor.fresh_from + 1
        return lease.run_id, self.attempt.body.node.path, cursor.turns, attempt
