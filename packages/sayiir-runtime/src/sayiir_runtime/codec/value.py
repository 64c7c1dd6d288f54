"""The value model: what a value is once it has been stored and read again.

This is the definition, in the plainest Python, that codecs are tested against:
``decode(encode(value))`` equals ``model(value)``, types included. Codecs do not call it.
"""

from __future__ import annotations

from typing import Any, Final

from sayiir_core.errors import EncodeError
from sayiir_runtime.codec.integer import format_integer

SCALARS: Final = frozenset({type(None), bool, int, float, str})
"""The exact types whose values come back as themselves, so that a round trip can be skipped."""

MAX_DEPTH: Final = 254
"""The number of lists and dicts that may stand inside each other."""


def is_scalar(value: object) -> bool:
    """Return whether the value is one that storing and reading leaves as it is."""
    return type(value) in SCALARS


def model(value: Any) -> Any:
    """Return the value that comes back when this one is stored.

    Raises ``EncodeError`` for a value outside the model, for two keys of one dict that become
    the same text, and for nesting deeper than ``MAX_DEPTH`` (so also for cycles).
    """
    return _model(value, depth=0)


def _model(value: Any, *, depth: int) -> Any:
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in SCALARS:
        return value
    if depth == MAX_DEPTH:
        raise EncodeError("nested too deeply")
    if kind is list or kind is tuple:
        items: list[Any] = []
        for item in value:
            items.append(_model(item, depth=depth + 1))  # noqa: PERF401 - one frame per level
        return items
    if kind is dict:
        fields: dict[str, Any] = {}
        for key, item in value.items():
            text = key_text(key)
            if text in fields:
                raise EncodeError(f"two keys become {text!r}")
            fields[text] = _model(item, depth=depth + 1)
        return fields
    raise EncodeError(f"{kind.__name__} is outside the value model")


def key_text(key: object) -> str:
    """Return the text under which a key is stored, as JSON writes it.

    Raises ``EncodeError`` for a key that is no str, int, float, bool or None.
    """
    if type(key) is str:
        return key
    if key is None or key is True or key is False:
        return {None: "null", True: "true", False: "false"}[key]
    if type(key) is int:
        return format_integer(key)
    if type(key) is float:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(key), repr(key))
    raise EncodeError(f"a key of type {type(key).__name__}")
