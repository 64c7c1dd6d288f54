"""Pack values for the native library, and unpack what it gives back.

The packer is written in Rust and knows most types. It hands all others to ``_pack``, which answers
with an extension. What it refuses altogether (keys that are no text, lone surrogates, depth, types
that have no form) goes to ``write_packed``, which either packs it or names the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import ormsgpack

from sayiir_rkyv import extension
from sayiir_rkyv.extension import pack_extension, unpack_extension, unpack_integer
from sayiir_rkyv.levels import unhashable, unpack_levels
from sayiir_rkyv.writing import write_packed

_OPTIONS: Final = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)

_MAX_NESTED: Final = 64
"""Containers in extensions inside each other that are packed quickly: each takes C stack, for up to
254 levels of lists between two."""

_MAX_NESTED_READ: Final = 8
"""Containers in extensions inside each other that are unpacked quickly: each copies all that is in it."""

_CONTAINERS: Final[dict[type, int]] = {
    tuple: extension.TUPLE,
    set: extension.SET,
    frozenset: extension.FROZENSET,
}


def pack(value: Any) -> bytes:
    """Return the packed value; raises ``EncodeError`` naming the place of what has no form."""
    try:
        return ormsgpack.packb(value, _HOOKS[0], _OPTIONS)
    except (TypeError, RecursionError):
        return write_packed(value)


def unpack(packed: bytes) -> Any:
    """Return the value of what the library packed.

    Raises ``CorruptPayloadError`` for a scalar whose content is damaged.
    """
    reader = _Reader()
    try:
        return ormsgpack.unpackb(packed, ext_hook=reader.rebuild)
    except ValueError as error:
        if isinstance(reader.problem, RecursionError):
            return unpack_levels(packed, unpack_scalar, _REBUILD)
        raise reader.problem or error from None


def pack_path(steps: Sequence[Any]) -> bytes | None:
    """Return a packed path; nothing if a step is neither text nor an integer of 64 bits."""
    if not all(type(step) is str or _is_short_integer(step) for step in steps):
        return None
    try:
        return ormsgpack.packb(list(steps))
    except TypeError:  # lone surrogates
        return None


def _is_short_integer(step: Any) -> bool:
    return type(step) is int and -(2**63) <= step < 2**63


def _pack(depth: int, value: Any) -> ormsgpack.Ext:
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    code = _CONTAINERS.get(kind)
    if code is not None:
        if depth == _MAX_NESTED:
            raise TypeError
        return ormsgpack.Ext(code, ormsgpack.packb(list(value), _HOOKS[depth + 1], _OPTIONS))
    try:
        return ormsgpack.Ext(*pack_extension(value))
    except (KeyError, ValueError):
        raise TypeError from None


_HOOKS: Final = [partial(_pack, depth) for depth in range(_MAX_NESTED + 1)]


class _Reader:
    """Rebuild extensions, and keep what went wrong: the unpacker loses what its hook raises."""

    __slots__ = ("depth", "problem")

    def __init__(self) -> None:
        self.depth = 0
        self.problem: BaseException | None = None

    def rebuild(self, code: int, data: bytes) -> Any:
        """Return the value of an extension; one frame for each container inside another."""
        try:
            if code not in _REBUILD:
                return unpack_scalar(code, data)
            if self.depth == _MAX_NESTED_READ:
                raise RecursionError
            self.depth += 1
            items = ormsgpack.unpackb(data, ext_hook=self.rebuild)
            self.depth -= 1
            return _REBUILD[code](items)
        except BaseException as error:
            # The innermost comes first; the hooks above it only see that one below has failed.
            self.problem = self.problem or _told(error)
            raise


def unpack_scalar(code: int, data: bytes) -> Any:
    """Return the value of an extension that is no container; errors as ``unpack_extension``."""
    if code == extension.BIG_INTEGER:
        return unpack_integer(data)
    return unpack_extension(code, data)


def _told(error: BaseException) -> BaseException:
    return unhashable(error) if isinstance(error, TypeError) else error


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


_REBUILD: Final[dict[int, Any]] = {
    extension.TUPLE: tuple,
    extension.SET: set,
    extension.FROZENSET: frozenset,
    extension.PAIRS: _pairs,
}
