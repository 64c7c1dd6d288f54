"""A call of a task, as a spy has seen it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sayiir_core.authoring import TaskContext, get_task_context


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final[Any] = _Missing()
"""The absence of a value where None is one."""


CallKey = tuple[str, str, tuple[int, ...], int]
"""What names a call: run id, path, turns and attempt."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of a task's function.

    ``value`` is a copy of what it received (``MISSING`` if it takes nothing), ``output`` what it
    returned (``MISSING`` if it raised ``error``). ``attempt`` counts from 1, ``at`` is virtual.
    """

    path: str
    instance_id: str
    run_id: str
    attempt: int
    turns: tuple[int, ...]
    at: datetime
    value: Any
    output: Any = MISSING
    error: BaseException | None = None

    @property
    def key(self) -> CallKey:
        """Return what names this call among those of its task."""
        return self.run_id, self.path, self.turns, self.attempt


class CallLog:
    """The calls of the tasks that one stub or spy stands at, in the order of their starts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.calls: list[Call] = []

    @property
    def count(self) -> int:
        """Return how many calls there were."""
        return len(self.calls)

    @property
    def last(self) -> Call:
        """Return the last call; raises ``AssertionError`` if there was none."""
        if not self.calls:
            raise AssertionError(f"task {self._name} was never called")
        return self.calls[-1]

    @property
    def values(self) -> list[Any]:
        """Return what the calls received."""
        return [call.value for call in self.calls]

    @property
    def outputs(self) -> list[Any]:
        """Return what the calls returned; those that raised are left out."""
        return [call.output for call in self.calls if call.output is not MISSING]

    def begin(self, arguments: tuple[Any, ...], now: datetime) -> Call:
        """Note the start of a call inside of a task."""
        context = _context()
        run_id, path, turns, attempt = key_of_context()
        call = Call(
            path=path,
            instance_id=context.instance_id,
            run_id=run_id,
            attempt=attempt,
            turns=turns,
            at=now,
            value=deepcopy(arguments[0]) if arguments else MISSING,
        )
        self.calls.append(call)
        return call


def key_of_context() -> CallKey:
    """Return what names the call in which this is asked."""
    context = _context()
    run_id, _, _ = context.idempotency_key.partition("/")
    return run_id, context.task_path, context.turns, context.attempt


def _context() -> TaskContext:
    context = get_task_context()
    assert context is not None, "a driver sets the context of what it calls"
    return context
