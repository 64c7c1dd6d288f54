"""Functions that stand in for tasks, or beside them, while one engine lasts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sayiir_core.workflow.node import TaskNode
from sayiir_pytest.engine.call import Call, CallKey, CallLog, key_of_context
from sayiir_pytest.engine.errors import StubError
from sayiir_pytest.engine.outcome import Outcome
from sayiir_runtime.runner.program import TaskBody

Function = Callable[..., Any]


class Spy(CallLog):
    """The calls of a task whose function is called as ever."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        super().__init__(name)
        self._clock = clock

    def check(self, body: TaskBody) -> None:
        """Do nothing: any task can be watched."""

    def wrap(self, body: TaskBody) -> Function:
        """Return the function to call in place of the task's."""
        return self._noting(body.function, is_async=body.is_async)

    def _noting(self, function: Function, *, is_async: bool) -> Function:
        def call(*arguments: Any) -> Any:
            noted = self.begin(arguments, self._clock())
            try:
                noted.output = function(*arguments)
            except BaseException as error:
                noted.error = error
                raise
            return noted.output

        async def call_async(*arguments: Any) -> Any:
            noted = self.begin(arguments, self._clock())
            try:
                noted.output = await function(*arguments)
            except BaseException as error:
                noted.error = error
                raise
            return noted.output

        return call_async if is_async else call


class Stub(Spy):
    """A stand-in for a task: a list of outcomes, of which the last one stays, or a function."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], datetime],
        stand_in: Function | Sequence[Outcome],
        takes: timedelta,
    ) -> None:
        super().__init__(name, clock)
        self._outcomes = [] if callable(stand_in) else list(stand_in)
        self._function = stand_in if callable(stand_in) else None
        self._takes = takes
        self._begun: dict[CallKey, tuple[Outcome, Call]] = {}

    def check(self, body: TaskBody) -> None:
        """Raise ``StubError`` if the task could not do what this does, with the remedy."""
        if self._function is not None:
            _check_function(self._function, body)
        for outcome in self._outcomes:
            _check_outcome(outcome, body)

    def start(self, call: Call) -> Outcome:
        """Choose the outcome of a call that starts now; ``wrap``'s function gives it at its end."""
        if self._function is not None:
            return Outcome(takes=self._takes)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        self.calls.append(call)
        self._begun[call.key] = outcome, call
        return outcome

    def time_out(self, key: CallKey, error: BaseException | None) -> None:
        """Note that a call that was started is not waited for any more."""
        begun = self._begun.pop(key, None)
        if begun is not None:
            begun[1].error = error

    def wrap(self, body: TaskBody) -> Function:
        """Return the function to call in place of the task's."""
        if self._function is not None:
            return self._noting(self._function, is_async=body.is_async)

        async def give_async(*_: Any) -> Any:
            return self._give()

        def give(*_: Any) -> Any:
            return self._give()

        return give_async if body.is_async else give

    def _give(self) -> Any:
        outcome, call = self._begun.pop(key_of_context())
        if outcome.error is not None:
            call.error = outcome.error() if isinstance(outcome.error, type) else outcome.error
            raise call.error
        call.output = outcome.value
        return outcome.value


def is_async_function(function: Function) -> bool:
    """Tell whether calling gives something to await."""
    call: Any = getattr(function, "__call__", None)  # noqa: B004 - an object with an async call
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _check_function(function: Function, body: TaskBody) -> None:
    path = body.node.path
    if is_async_function(function) != body.is_async:
        kinds = ("a plain function", "async")
        is_, written = kinds[body.is_async], ("def", "async def")[body.is_async]
        raise StubError(
            f"task {path!r} is {is_} and its stand-in is {kinds[not body.is_async]}; "
            f"write it with {written!r}"
        )
    arguments = (None,) if body.takes_value else ()
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        takes = "one value" if body.takes_value else "nothing"
        parameters = "(value)" if body.takes_value else "()"
        raise StubError(
            f"task {path!r} takes {takes}, and its stand-in {inspect.signature(function)} cannot "
            f"be called so; give it the parameters {parameters}"
        ) from None


def _check_outcome(outcome: Outcome, body: TaskBody) -> None:
    path = body.node.path
    if outcome.hangs and body.timeout_seconds is None:
        raise StubError(
            f"task {path!r} has no timeout, so a call of it that hangs would never end; give "
            f"the task a timeout=, or the stub something else"
        )
    if outcome.error is not None or outcome.hangs or _decides(body.node):
        return
    try:
        body.values.encode_output(outcome.value)
    except Exception as error:
        raise StubError(
            f"task {path!r} cannot return {outcome.value!r:.80}, which its stub is to return: "
            f"{error}"
        ) from error


def _decides(node: TaskNode) -> bool:
    # What it returns is a verdict or a key with the value inside, which the attempt unpacks.
    return node.loop is not None or node.is_key
