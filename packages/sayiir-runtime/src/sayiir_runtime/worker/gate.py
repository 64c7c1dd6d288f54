"""Keeping commits and reconciliations apart.

A reconciliation gives back what the worker does not know to hold. An answer that is still awaited
may bring more, such as a join, so nothing is awaited while it goes on.
"""

from __future__ import annotations

import threading


class Gate:
    """One of the two at a time. ``is_unclear``: a reconciliation is needed soon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_committing = False
        self.is_reconciling = False
        self.is_unclear = False

    def begin_commit(self) -> bool:
        """Note that an answer will be awaited; False while what is held is reconciled."""
        with self._lock:
            self._is_committing = not self.is_reconciling
            return self._is_committing

    def end_commit(self) -> None:
        """Note that none is awaited any more."""
        self._is_committing = False

    def begin_reconciling(self) -> bool:
        """Let no batch go; False while an answer is awaited."""
        with self._lock:
            if self._is_committing:
                return False
            self.is_reconciling = True
            self.is_unclear = False
            return True

    def end_reconciling(self) -> None:
        """Let batches go again."""
        self.is_reconciling = False
