"""Read annotations: which value a callable takes and returns, and whether its type is plain.

Nothing here raises for what a user wrote: an annotation that cannot be resolved counts as absent.
"""

from __future__ import annotations

import collections.abc
import functools
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_DEFERRED: Final = sys.version_info >= (3, 14)
"""Whether annotations are evaluated when they are read, so that reading them may raise."""

_Parameter = inspect.Parameter

_POSITIONAL: Final = frozenset(
    {_Parameter.POSITIONAL_ONLY, _Parameter.POSITIONAL_OR_KEYWORD, _Parameter.VAR_POSITIONAL}
)

_PLAIN: Final = (
    Any,
    object,
    None,
    type(None),
    bool,
    int,
    float,
    str,
    list,
    dict,
    inspect.Signature.empty,
)
_PLAIN_LISTS: Final = (
    list,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
)
_PLAIN_DICTS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_ABSTRACT: Final = (*_PLAIN_LISTS[1:], *_PLAIN_DICTS[1:])
_AWAITED: Final = (collections.abc.Awaitable, collections.abc.Coroutine)

UNRESOLVABLE: Final = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What evaluating an annotation raises where a name is missing or the expression is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the signature of a task says; ``Any`` stands for an absent annotation."""

    name: str
    takes_value: bool
    parameter: str | None
    takes: Any
    returns: Any


def read_hints(fn: Callable[..., Any]) -> Hints:
    """Return which value a callable takes and returns; never raises."""
    parameter = _first_parameter(fn)
    owner = _owner(fn)
    is_class = inspect.isclass(fn)
    return Hints(
        name=str(getattr(fn if is_class else owner, "__qualname__", type(fn).__qualname__)),
        takes_value=parameter is not None,
        parameter=parameter or None,
        takes=_resolve(owner, parameter) if parameter else Any,
        returns=fn if is_class else _awaited(_resolve(owner, "return")),
    )


def is_plain(annotation: Any) -> bool:
    """Return whether values of the annotation are plain JSON values as they are."""
    return _is_plain(annotation, ())


def _first_parameter(fn: Callable[..., Any]) -> str | None:
    """Return the name of the first positional parameter, "" if unknown, None if there is none."""
    try:
        parameters = _signature(fn).parameters.values()
    except UNRESOLVABLE:
        return ""
    return next((each.name for each in parameters if each.kind in _POSITIONAL), None)


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    signature: Callable[..., inspect.Signature] = inspect.signature
    if _DEFERRED:
        return signature(fn, annotation_format=_annotationlib().Format.FORWARDREF)
    return signature(fn)


def _owner(fn: Callable[..., Any]) -> Any:
    """Return the function whose annotations describe the callable."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if inspect.isclass(fn):
        return fn.__init__
    if inspect.isroutine(fn):
        return inspect.unwrap(fn)
    return type(fn).__call__


def _resolve(owner: Any, name: str) -> Any:
    try:
        raw = _raw_annotations(owner)
        if name not in raw:
            return Any
        function = getattr(owner, "__func__", owner)
        holder: Any = lambda: None  # noqa: E731 - something that can carry one annotation alone
        holder.__annotations__ = {name: raw[name]}
        scope = getattr(function, "__globals__", {})
        return typing.get_type_hints(holder, scope, _local_names(function), include_extras=True)[
            name
        ]
    except UNRESOLVABLE:
        return Any


def _raw_annotations(owner: Any) -> Mapping[str, Any]:
    if _DEFERRED:
        library = _annotationlib()
        annotations: Mapping[str, Any] = library.get_annotations(
            owner, format=library.Format.FORWARDREF
        )
        return annotations
    return getattr(owner, "__annotations__", None) or {}


def _annotationlib() -> Any:
    """Return a module of the standard library that the oldest supported Python lacks."""
    return importlib.import_module("annotationlib")


def _local_names(function: Any) -> dict[str, Any]:
    """Return the names that a function closes over, and its type parameters."""
    names = {each.__name__: each for each in getattr(function, "__type_params__", ())}
    code = getattr(function, "__code__", None)
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False
    ):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    return names


def _awaited(annotation: Any) -> Any:
    """Return what awaiting gives, for functions that return an awaitable without being async."""
    if typing.get_origin(annotation) in _AWAITED and typing.get_args(annotation):
        return typing.get_args(annotation)[-1]
    return annotation


def _is_plain(annotation: Any, inside: tuple[Any, ...]) -> bool:
    if any(annotation is each for each in (*_PLAIN, *_ABSTRACT)):
        return True
    if isinstance(annotation, (typing.TypeVar, str, typing.ForwardRef)):
        return True
    if any(annotation is each for each in inside):
        return True
    inside = (*inside, annotation)
    alias = getattr(annotation, "__value__", getattr(annotation, "__supertype__", None))
    if alias is not None and not inspect.isclass(annotation):
        return _is_plain(alias, inside)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType or origin in _PLAIN_LISTS:
        return all(_is_plain(each, inside) for each in arguments)
    if origin is typing.Literal:
        return all(type(each) in {type(None), bool, int, str} for each in arguments)
    if origin in _PLAIN_DICTS and len(arguments) == 2:
        return arguments[0] in (str, Any) and _is_plain(arguments[1], inside)
    return False
