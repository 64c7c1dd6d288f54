"""What a plan must lead to, found by a small interpreter that shares nothing with the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from sayiir_core.policy import OnMax
from sayiir_pytest.strategies.plan import (
    Child,
    Delay,
    Element,
    Elements,
    Fork,
    Loop,
    Plan,
    Route,
    Signal,
    Task,
    key_of,
    result_of,
    weight,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The outcome of a plan.

    ``status`` is ``completed`` or ``failed``. Of a failed run, ``errors`` holds the texts of all
    failures that can be the first one, by timing. ``signals`` are the signals to send, with their
    payloads, in the order of their sending. ``calls`` is the number of body starts of a run that
    completes and in which no process dies.
    """

    status: str
    output: Any = None
    errors: frozenset[str] = frozenset()
    signals: tuple[tuple[str, int], ...] = ()
    calls: int = 0

    def explains(self, text: str) -> bool:
        """Tell whether an error text names a failure that can be the first one."""
        return any(error in text for error in self.errors)


def expected(plan: Plan, value: Any) -> Expected:
    """Return the outcome of a plan on an input."""
    story = _Story()
    try:
        output = story.walk(plan.elements, value)
    except _StopError as stopped:
        return Expected(
            status="failed", errors=stopped.errors, signals=tuple(story.signals), calls=story.calls
        )
    return Expected(
        status="completed", output=output, signals=tuple(story.signals), calls=story.calls
    )


class _StopError(Exception):
    def __init__(self, *errors: str) -> None:
        super().__init__(*errors)
        self.errors = frozenset(errors)


class _Story:
    """One run, as it goes: the signals that it consumes, and the bodies that it starts."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, int]] = []
        self.calls = 0

    def walk(self, elements: Elements, value: Any) -> Any:
        for element in elements:
            value = self._pass(element, value)
        return value

    def _pass(self, element: Element, value: Any) -> Any:
        match element:
            case Task():
                return self._task(element, value)
            case Delay():
                return value
            case Signal():
                if element.sent:
                    self.signals.append((element.name, element.payload))
                return element.payload
            case Fork():
                return self._fork(element, value)
            case Route():
                return self._route(element, value)
            case Loop():
                return self._loop(element, value)
            case Child():
                return self.walk(element.elements, value)
            case _:
                assert_never(element)

    def _task(self, task: Task, value: Any) -> Any:
        self.calls += min(task.fails, task.retries) + 1
        if task.fails > task.retries:
            raise _StopError("TaskTimeoutError" if task.hangs else f"PlannedError: {task.failure}")
        return result_of(task, value)

    def _fork(self, fork: Fork, value: Any) -> Any:
        gathered: dict[str, Any] = {}
        errors: set[str] = set()
        for number, branch in enumerate(fork.branches):
            try:
                gathered[f"b{number}"] = self.walk(branch, value)
            except _StopError as stopped:
                errors |= stopped.errors
        if errors:
            raise _StopError(*errors)
        return self._task(fork.join, gathered)

    def _route(self, route: Route, value: Any) -> Any:
        key = key_of(route, value)
        self.calls += 1
        number = int(key[1:])
        arm = route.arms[number] if number < len(route.arms) else route.default
        if arm is None:
            raise _StopError("RouteError")
        return {"branch": key, "result": self.walk(arm, value)}

    def _loop(self, loop: Loop, value: Any) -> Any:
        for _ in range(loop.cap):
            value = self.walk(loop.body, value)
            if weight(value) % loop.until == 0:
                return value
        if loop.on_max is OnMax.FAIL:
            raise _StopError("LoopLimitError")
        return value
