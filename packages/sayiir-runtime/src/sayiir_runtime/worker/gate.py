"""Keeping commits and reconciliations apart.

A reconciliation gives back what the worker does not know to hold. An answer that is still awaited
may bring more, such as a join, so nothing is awaited while it goes on. Two committers whose batches
overlap would never leave it a gap, so the one that commits *beside* the other stops for it.
"""

from __future__ import annotations

import threading


class Gate:
    """One of the two at a time. ``is_unclear``: a reconciliation is needed soon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._awaiting: set[object] = set()
        self.is_reconciling = False
        self.is_unclear = False

    def is_open(self, *, beside: bool = False) -> bool:
        """Tell whether a batch may go, perhaps beside that of another committer."""
        return not (self.is_reconciling or (beside and self.is_unclear))

    def begin_commit(self, committer: object, *, beside: bool = False) -> bool:
        """Note that a committer will await an answer; False while none may be awaited.

        One that awaits an answer already may ask for it again.
        """
        with self._lock:
            if committer not in self._awaiting and not self.is_open(beside=beside):
                return False
            self._awaiting.add(committer)
            return True

    def end_commit(self, committer: object) -> None:
        """Note that a committer awaits none any more."""
        with self._lock:
            self._awaiting.discard(committer)

    def begin_reconciling(self) -> bool:
        """Let no batch go; False while an answer is awaited."""
        with self._lock:
            if self._awaiting:
                return False
            self.is_reconciling = True
            self.is_unclear = False
            return True

    def end_reconciling(self) -> None:
        """Let batches go again."""
        self.is_reconciling = False
