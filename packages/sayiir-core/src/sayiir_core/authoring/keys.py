"""Route keys: how they may be declared, and what text each stands for."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Literal, cast, get_args, get_origin

from sayiir_core.errors import DefinitionError


def key_text(key: object) -> str:
    """Return the text of a key: a string, or an enum member whose value is one.

    Raises ``DefinitionError`` for anything else.
    """
    value = key.value if isinstance(key, Enum) else key
    if not isinstance(value, str):
        raise DefinitionError(f"a route key must be a string or a string enum member, not {key!r}")
    return str(value)


def declared_keys(keys: object) -> tuple[str, ...]:
    """Return the keys of a list of strings, a string ``Enum`` class or a ``Literal`` type.

    Raises ``DefinitionError`` for anything else.
    """
    # A ``type Kind = Literal[…]`` statement makes an alias, which holds the type.
    keys = getattr(keys, "__value__", keys)
    if get_origin(keys) is Literal:
        return tuple(key_text(key) for key in get_args(keys))
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise DefinitionError(
            f"keys= must be a list of strings, a string Enum class or a Literal type, not {keys!r}"
        )
    return tuple(key_text(key) for key in cast("Iterable[object]", keys))
