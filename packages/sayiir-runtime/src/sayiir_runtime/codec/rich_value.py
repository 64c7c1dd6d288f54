"""The rich value model: what a value is once a codec such as msgpack has stored it.

``rich_model`` is the definition, in the plainest Python, that codecs are tested against, as
``value.model`` is for JSON. The rest prepares what a packer cannot be told to pass on, and says
what is wrong with a value that no rule covers.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from sayiir_core.errors import EncodeError
from sayiir_runtime.codec import extension
from sayiir_runtime.codec.refusal import describe_rich_refusal, join_path
from sayiir_runtime.codec.value import MAX_DEPTH

_KEPT: Final = frozenset({type(None), bool, float, str, bytes})
_SETS: Final = frozenset({set, frozenset})
_CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})


class Pairs:
    """A dict that has keys which are no text; stands for it until it is packed."""

    __slots__ = ("fields",)

    def __init__(self, fields: dict[Any, Any]) -> None:
        self.fields = fields


class Surrogates:
    """A text with lone surrogates; stands for it until it is packed."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Surrogates) and self.text == other.text


def rich_model(value: Any) -> Any:
    """Return the value that comes back when this one is stored by a rich codec.

    Only ``bytearray`` and ``memoryview`` change: they come back as bytes. Raises ``EncodeError``
    for a value outside the model and for more than ``MAX_DEPTH`` levels (so also for cycles).
    """
    return _model(value, [])


def _model(value: Any, path: list[Any]) -> Any:
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in _KEPT:
        return value
    if kind is bytearray or kind is memoryview:
        return bytes(value)
    if kind not in _CONTAINERS:
        _check_scalar(value, path)
        return value
    if len(path) == MAX_DEPTH:
        raise EncodeError(
            f"{join_path(path)}: more than {MAX_DEPTH} levels, or the value contains itself; "
            f"return a flatter value"
        )
    if kind is dict:
        return {
            _model(key, [*path, "(key)"]): _model(item, [*path, key]) for key, item in value.items()
        }
    items: list[Any] = [_model(item, [*path, position]) for position, item in enumerate(value)]
    return _made(kind, items)


def _made(kind: type[Any], items: list[Any]) -> Any:
    if kind is list:
        return items
    if kind is tuple:
        return tuple(items)
    return set(items) if kind is set else frozenset(items)


def _check_scalar(value: Any, path: list[Any]) -> None:
    try:
        known = extension.pack_scalar(value) is not None
    except EncodeError as error:
        raise EncodeError(f"{join_path(path)}: {error}") from None
    if not known:
        raise EncodeError(describe_rich_refusal(join_path(path), value))


def prepared(value: Any) -> Any:
    """Return a copy with ``Pairs`` and ``Surrogates`` in it; what is refused stays as it is."""
    return _prepared(value, 0)


def _prepared(value: Any, depth: int) -> Any:
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is str:
        return value if _is_utf8(value) else Surrogates(value)
    if depth > MAX_DEPTH:
        return value
    if kind is list:
        return [_prepared(item, depth + 1) for item in value]
    if kind is tuple or kind in _SETS:
        return _made(kind, [_prepared(item, depth + 1) for item in value])
    if kind is dict:
        fields = {
            _prepared(key, depth + 1): _prepared(item, depth + 1) for key, item in value.items()
        }
        return fields if all(type(key) is str for key in fields) else Pairs(fields)
    return value


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def raise_refusal(value: Any, error: Exception) -> NoReturn:
    """Raise the ``EncodeError`` for a value that could not be packed, naming the place."""
    rich_model(value)
    # The model has no objection: containers in extensions are nested more deeply than is packed.
    raise EncodeError(
        f"$: the value cannot be packed ({str(error)[:200] or type(error).__name__}): tuples, sets "
        f"and dicts with other keys than text stand too deep inside each other; use lists"
    )
