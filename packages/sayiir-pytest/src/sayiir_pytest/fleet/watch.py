"""The laws, checked while a fleet works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sayiir_core.ids import Index, RunId, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.checkpoints import CheckpointStore
from sayiir_core.snapshot.answer import Answer, Committed
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_core.snapshot.head import CursorState, Head, InstanceState
from sayiir_core.snapshot.step import StepStatus
from sayiir_runtime.worker.held import Held

StepKey = tuple[RunId, int, Index]


class Violation(AssertionError):  # noqa: N818 - what it is, as a test reports it
    """A law does not hold; the text ends with the seed and the last events."""


class WatchedCheckpoints:
    """A checkpoint port that notes what it stores."""

    def __init__(self, inner: CheckpointStore, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit, and look at what was recorded."""
        answers = self._inner.commit(batch)
        for checkpoint, answer in zip(batch, answers, strict=True):
            self._watch.committed(checkpoint, answer)
        return answers


class Watch:
    """What was seen of one fleet."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.checkpoints = WatchedCheckpoints(backend.checkpoints, self)
        self.recorded: set[StepKey] = set()
        self.started: dict[StepKey, int] = {}
        self.late_starts = 0
        self.stale_writes = 0

    def committed(self, checkpoint: Checkpoint, answer: Answer) -> None:
        """Note an answer: a step may succeed once only (law 2)."""
        if not isinstance(answer, Committed):
            self.stale_writes += 1
            return
        if answer.replayed:
            return
        for effect in checkpoint.effects:
            if isinstance(effect, Record) and effect.step.status is StepStatus.SUCCEEDED:
                key = (checkpoint.lease.run_id, effect.step.node, effect.step.turns)
                if key in self.recorded:
                    raise Violation(f"step {key} of {checkpoint.lease.instance_id} recorded twice")
                self.recorded.add(key)

    def body_starts(self, held: Held) -> None:
        """Note a start: a recorded step never runs again, unless its session has ended (law 2)."""
        lease, cursor = held.claim.lease, held.claim.cursor
        key = (lease.run_id, cursor.node, cursor.turns)
        self.started[key] = self.started.get(key, 0) + 1
        if key not in self.recorded:
            return
        view = self._backend.sessions.view(lease.session)
        if view is not None and view.alive and self._holds(held):
            raise Violation(f"recorded step {key} of {lease.instance_id} starts again")
        self.late_starts += 1

    def _holds(self, held: Held) -> bool:
        lease = held.claim.lease
        head = self._backend.instances.load(lease.instance_id)
        cursor = head.cursors.get(lease.key)
        return cursor is not None and cursor.fence == lease.fence

    def check(self, head: Head, live: set[SessionId]) -> None:
        """Check that every cursor of a live instance is where something ends its wait (law 5)."""
        if head.header.state is not InstanceState.RUNNING:
            return
        if not head.cursors:
            raise Violation(f"{head.header.instance_id} runs and has no cursor")
        joins = [c for c in head.cursors.values() if c.state is CursorState.JOINING]
        for cursor in head.cursors.values():
            if cursor.held:
                raise Violation(f"{head.header.instance_id} runs and holds {cursor.key}: {cursor}")
            if cursor.session is not None:
                if cursor.session not in live:
                    raise Violation(f"{cursor.key} is held by an ended session: {cursor}")
            elif cursor.available_at is None and cursor.state not in _WAITS:
                raise Violation(f"nothing ever wakes {cursor.key}: {cursor}")
        waiting = sum(c.pending for c in joins)
        others = len(head.cursors) - len(joins)
        if joins and not 0 < others <= waiting + len(joins):
            raise Violation(f"joins of {head.header.instance_id} wait for nobody: {head}")


_WAITS: Any = frozenset({CursorState.AWAITING, CursorState.JOINING})
