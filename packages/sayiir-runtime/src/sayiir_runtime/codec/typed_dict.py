"""Rewrite ``typing.TypedDict`` for pydantic, which before Python 3.12 takes only the backport.

The class of the standard library lost, until then, which fields of its bases are required; for
building an equal class of ``typing_extensions`` it says enough.
"""

from __future__ import annotations

import types
import typing
from typing import Any, Final

import typing_extensions

_WRAPPERS: Final = (typing.Required, typing.NotRequired)
_KEPT: Final = (typing.Literal, typing.ClassVar)


def with_known_typed_dicts(annotation: Any) -> Any:
    """Return the annotation with every TypedDict in it replaced by its equal.

    Raises what ``typing.get_type_hints`` raises for a field that cannot be resolved.
    """
    return _rewritten(annotation, ())


def _rewritten(annotation: Any, inside: tuple[Any, ...]) -> Any:
    if annotation in inside:  # a recursive one; what it holds below is taken as it comes
        return dict[str, Any]
    if typing.is_typeddict(annotation):
        return _equal_class(annotation, (*inside, annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None or origin in _KEPT or any(isinstance(each, list) for each in arguments):
        return annotation
    if origin is typing.Annotated:
        base, *metadata = arguments
        return typing.Annotated[(_rewritten(base, inside), *metadata)]
    rewritten = tuple(_rewritten(each, inside) for each in arguments)
    if rewritten == arguments:
        return annotation
    if origin is types.UnionType:
        origin = typing.Union
    return origin[rewritten]


def _equal_class(annotation: Any, inside: tuple[Any, ...]) -> Any:
    fields: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(annotation, include_extras=True).items():
        wrapper = typing.get_origin(hint)
        wrapped = wrapper in _WRAPPERS
        bare = typing.get_args(hint)[0] if wrapped else hint
        # What the hint says counts more: where annotations are text the class has not read it.
        required = wrapper is typing.Required if wrapped else name in annotation.__required_keys__
        marked: Any = typing.Required if required else typing.NotRequired
        fields[name] = marked[_rewritten(bare, inside)]
    make: Any = typing_extensions.TypedDict
    return make(annotation.__name__, fields)
