"""A record of which bodies ran, kept by the bodies themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sayiir_core.authoring.context import TaskContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One start of one body: which step of which run, at which attempt, with which input."""

    step: str
    path: str
    attempt: int
    value: Any


class CallLog:
    """Collect the calls of generated bodies; safe to use from many threads."""

    def __init__(self) -> None:
        """Start with no calls."""
        self._calls: list[Call] = []
        self._lock = Lock()

    def note(self, context: TaskContext, value: Any) -> None:
        """Add one call."""
        call = Call(
            step=context.idempotency_key,
            path=context.task_path,
            attempt=context.attempt,
            value=value,
        )
        with self._lock:
            self._calls.append(call)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return the calls so far, in the order in which the bodies started."""
        with self._lock:
            return tuple(self._calls)

    def repeated(self) -> list[tuple[str, int]]:
        """Return the steps and attempts that ran more than once: none, unless a process died."""
        counted = Counter((call.step, call.attempt) for call in self.calls)
        return [key for key, count in counted.items() if count > 1]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

    def __len__(self) -> int:
        return len(self.calls)
