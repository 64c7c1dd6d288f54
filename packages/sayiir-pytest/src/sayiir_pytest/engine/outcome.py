"""What a stubbed task does at a call: returns, raises, or hangs, after some virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from sayiir_core.duration import Duration, to_timedelta
from sayiir_pytest.engine.call import MISSING
from sayiir_pytest.engine.errors import StubError

_NOW: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome of a call.

    ``takes`` is how long the call lasts in virtual time; ``hangs`` that it never ends by itself.
    """

    value: Any = MISSING
    error: BaseException | type[BaseException] | None = None
    takes: timedelta = _NOW
    hangs: bool = False


def ok(value: Any = None, *, takes: Duration = 0) -> Outcome:
    """Return the outcome of a call that returns a value, after a virtual time."""
    return Outcome(value=value, takes=to_timedelta(takes))


def fails(error: BaseException | type[BaseException], *, takes: Duration = 0) -> Outcome:
    """Return the outcome of a call that raises, after a virtual time."""
    return replace(as_outcome(error), takes=to_timedelta(takes))


HANGS: Final = Outcome(hangs=True)
"""The outcome of a call that never ends by itself; only a task with a timeout may hang."""


def read_outcomes(returns: Any, raises: Any, takes: Duration) -> list[Outcome] | None:
    """Return the outcomes that the arguments of a stub name, None if they name none.

    Raises ``StubError`` for what is no outcome.
    """
    if returns is not MISSING and raises is not None:
        raise StubError(
            "give returns= or raises=, not both; a task that first raises and then returns is "
            "raises=[Error, ok(value)]"
        )
    if returns is not MISSING:
        return [ok(returns, takes=takes)]
    if raises is None:
        return None
    is_one = type(raises) not in {list, tuple}
    listed: Sequence[Any] = [raises] if is_one else raises
    if not listed:
        raise StubError("raises=[] names no outcome; give at least one exception or ok(value)")
    span = to_timedelta(takes)
    outcomes = [as_outcome(one) for one in listed]
    return [replace(one, takes=one.takes or span) for one in outcomes]


def as_outcome(one: Any) -> Outcome:
    """Return what an element of ``raises=`` means; raises ``StubError`` if it means nothing."""
    match one:
        case Outcome():
            return one
        case BaseException():
            return Outcome(error=one)
        case type() if issubclass(one, BaseException):
            try:
                one()
            except Exception as error:
                raise StubError(
                    f"{one.__name__} cannot be made without arguments ({error}); give an instance, "
                    f"as {one.__name__}(…)"
                ) from error
            return Outcome(error=one)
        case _:
            raise StubError(
                f"raises= takes exceptions, their classes, ok(value) and HANGS, not {one!r:.80}; "
                f"write ok({one!r:.40}) for a call that returns it"
            )
