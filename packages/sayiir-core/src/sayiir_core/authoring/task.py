"""The ``@task`` decorator: it annotates a function and returns that same function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar, overload

from sayiir_core.authoring.options import ATTRIBUTE, CodecChoice, TaskOptions, check_options
from sayiir_core.duration import Duration
from sayiir_core.errors import DefinitionError
from sayiir_core.policy import RetryPolicy

F = TypeVar("F", bound=Callable[..., Any])

_METHOD_KINDS: Final = (staticmethod, classmethod)


@overload
def task(fn_or_name: F) -> F: ...


@overload
def task(
    fn_or_name: str | None = None,
    *,
    name: str | None = None,
    timeout: Duration | None = None,
    timeout_secs: float | None = None,
    retries: int | RetryPolicy | None = None,
    tags: Iterable[str] | None = None,
    description: str | None = None,
    priority: int | None = None,
    version: str | None = None,
    codec: CodecChoice | None = None,
    executor: str | None = None,
) -> Callable[[F], F]: ...


def task(
    fn_or_name: Callable[..., Any] | str | None = None,
    *,
    name: str | None = None,
    timeout: Duration | None = None,
    timeout_secs: float | None = None,
    retries: int | RetryPolicy | None = None,
    tags: Iterable[str] | None = None,
    description: str | None = None,
    priority: int | None = None,
    version: str | None = None,
    codec: CodecChoice | None = None,
    executor: str | None = None,
) -> Callable[..., Any]:
    """Annotate a function as a task, with or without options.

    The first argument may be the task's id. ``timeout`` limits one attempt and wins over
    ``timeout_secs``. ``retries`` is a number of retries after 1 s, 2 s, 4 s, …, or a
    ``RetryPolicy``. ``priority`` is 1 (first) to 5, 3 by default. ``version`` is part of the
    workflow's identity: raise it when running instances must not meet the new code. ``codec``
    writes what the task returns, and may change at any time. ``executor`` runs it somewhere else
    than in a thread or on a loop: ``"process"`` in a process of its own, other names by plugins; it may
    change at any time, too. Raises ``DefinitionError``, a ``ValueError``, for a bad option.
    """
    given = fn_or_name if isinstance(fn_or_name, str) else None
    options = check_options(
        name=given or name,
        timeout=timeout_secs if timeout is None else timeout,
        retries=retries,
        tags=tags,
        description=description,
        priority=priority,
        version=version,
        codec=codec,
        executor=executor,
    )
    if fn_or_name is None or isinstance(fn_or_name, str):
        return partial(annotate, options=options)
    return annotate(fn_or_name, options)


def annotate(fn: F, options: TaskOptions) -> F:
    """Leave the options on a function; ``DefinitionError`` for what cannot carry them."""
    # A static or class method hands out its inner function, not itself.
    carrier: Any = getattr(fn, "__func__", fn) if type(fn) in _METHOD_KINDS else fn
    if not callable(carrier):
        raise DefinitionError(f"@task can only annotate a callable, not {fn!r}")
    display_name = options.name or getattr(carrier, "__name__", None)
    named = replace(options, policy=replace(options.policy, display_name=display_name))
    try:
        setattr(carrier, ATTRIBUTE, named)
    except (AttributeError, TypeError):
        raise DefinitionError(
            f"@task cannot annotate {fn!r}, which takes no attributes; wrap it in a function: "
            f"def my_task(value): return …"
        ) from None
    return fn
