"""A registry: functions by name, so that a flow can say ``"payments::charge"``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final, TypeVar, overload

from sayiir_core.authoring.options import CodecChoice, check_options
from sayiir_core.authoring.signature import name_of, objection_to
from sayiir_core.authoring.task import annotate
from sayiir_core.duration import Duration
from sayiir_core.errors import DefinitionError
from sayiir_core.policy import RetryPolicy

F = TypeVar("F", bound=Callable[..., Any])

SEPARATOR: Final = "::"


class TaskRegistry:
    """Keep functions under unique names; with a namespace, names start with ``namespace::``."""

    __slots__ = ("_functions", "_prefix")

    def __init__(self, namespace: str = "") -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        self._prefix = f"{namespace}{SEPARATOR}" if namespace else ""

    def register(self, name: str, fn: F) -> F:
        """Put a function under a name and return it.

        Raises ``DefinitionError`` for a name that is taken, and for what cannot be a task.
        """
        full = f"{self._prefix}{name}"
        objection = objection_to(fn)
        if objection is not None:
            raise DefinitionError(f"registry name {full!r}: {objection}")
        self._put(full, fn)
        return fn

    @overload
    def task(self, fn_or_name: F) -> F: ...

    @overload
    def task(
        self,
        fn_or_name: str | None = None,
        *,
        name: str | None = None,
        timeout: Duration | None = None,
        retries: int | RetryPolicy | None = None,
        tags: Iterable[str] | None = None,
        description: str | None = None,
        priority: int | None = None,
        version: str | None = None,
        codec: CodecChoice | None = None,
        executor: str | None = None,
    ) -> Callable[[F], F]: ...

    def task(
        self,
        fn_or_name: Callable[..., Any] | str | None = None,
        *,
        name: str | None = None,
        timeout: Duration | None = None,
        retries: int | RetryPolicy | None = None,
        tags: Iterable[str] | None = None,
        description: str | None = None,
        priority: int | None = None,
        version: str | None = None,
        codec: CodecChoice | None = None,
        executor: str | None = None,
    ) -> Callable[..., Any]:
        """Annotate a function like ``@task`` and register it under its task name."""
        given = fn_or_name if isinstance(fn_or_name, str) else None
        options = check_options(
            name=given or name,
            timeout=timeout,
            retries=retries,
            tags=tags,
            description=description,
            priority=priority,
            version=version,
            codec=codec,
            executor=executor,
        )

        def keep(fn: Callable[..., Any]) -> Callable[..., Any]:
            annotate(fn, options)
            return self.register(options.name or name_of(fn).rpartition(".")[2], fn)

        return keep if fn_or_name is None or isinstance(fn_or_name, str) else keep(fn_or_name)

    def resolve(self, name: str) -> Callable[..., Any]:
        """Return the function of a full name; ``DefinitionError`` with what comes close."""
        fn = self._functions.get(name)
        if fn is None:
            close = get_close_matches(name, self._functions, n=3)
            hint = f"did you mean {', '.join(map(repr, close))}?" if close else self._content()
            raise DefinitionError(f"no function is registered as {name!r}; {hint}")
        return fn

    def merge(self, other: TaskRegistry) -> TaskRegistry:
        """Take over every function of another registry under its full name, and return self.

        Raises ``DefinitionError`` for a name that belongs to different functions, before anything
        is taken over.
        """
        for name, fn in other._functions.items():
            self._check_free(name, fn)
        self._functions.update(other._functions)
        return self

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def _put(self, name: str, fn: Callable[..., Any]) -> None:
        if name in self._functions:
            raise DefinitionError(
                f"registry name {name!r} is taken by {name_of(self._functions[name])}; register "
                f"{name_of(fn)} under another name or in another namespace"
            )
        self._functions[name] = fn

    def _check_free(self, name: str, fn: Callable[..., Any]) -> None:
        if self._functions.get(name, fn) is not fn:
            self._put(name, fn)

    def _content(self) -> str:
        names = ", ".join(map(repr, list(self._functions)[:10]))
        return f"the registry has {names}" if names else "the registry is empty"
