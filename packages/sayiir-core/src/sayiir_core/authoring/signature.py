"""Whether something can be called as a task: with one value, or with none."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_COLLECTING: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_OVERRIDES: Final = {"__wrapped__", "__signature__"}


def objection_to(fn: object) -> str | None:
    """Return why something cannot be a task, None if it can."""
    if not callable(fn):
        return f"{fn!r:.200} is not callable; give a function, a workflow or a registered name"
    positional, keyword = _required(fn)
    if positional > 1:
        return (
            f"{name_of(fn)} has {positional} required parameters; a task receives one value, the "
            f"output of the step before: take one parameter, or give the others defaults"
        )
    if keyword:
        return (
            f"{name_of(fn)} has the required keyword-only parameter {keyword!r}; a task receives "
            f"one positional value: give it a default"
        )
    return None


def name_of(fn: Callable[..., Any]) -> str:
    """Return how an error speaks of a callable."""
    return getattr(fn, "__qualname__", None) or repr(fn)


def reference_to(fn: Callable[..., Any]) -> str:
    """Return ``module:qualname``, by which tools find the function."""
    named = fn if hasattr(fn, "__qualname__") else type(fn)
    return f"{getattr(named, '__module__', None) or '?'}:{named.__qualname__}"


def _required(fn: Callable[..., Any]) -> tuple[int, str | None]:
    # Flows have thousands of plain functions, and a signature object is slow to make.
    if isinstance(fn, FunctionType) and not _OVERRIDES & fn.__dict__.keys():
        return _required_by_code(fn)
    return _required_by_signature(fn)


def _required_by_code(fn: FunctionType) -> tuple[int, str | None]:
    code = fn.__code__
    positional = code.co_argcount - len(fn.__defaults__ or ())
    if not code.co_kwonlyargcount:
        return positional, None
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = fn.__kwdefaults__ or {}
    return positional, next((name for name in names if name not in defaults), None)


def _required_by_signature(fn: Callable[..., Any]) -> tuple[int, str | None]:
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (ValueError, TypeError, NameError, AttributeError):
        # Some built-in callables do not tell their signature, and an annotation may name what
        # exists for type checkers only; such callables are trusted.
        return 0, None
    required = [p for p in parameters if p.default is p.empty and p.kind not in _COLLECTING]
    keyword = next((p.name for p in required if p.kind not in _POSITIONAL), None)
    return sum(p.kind in _POSITIONAL for p in required), keyword
