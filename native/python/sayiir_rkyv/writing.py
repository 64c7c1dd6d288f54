"""Pack by a loop what the quick packer refuses, or name the place of what has no form.

A loop and not recursion, so that depth and cycles end in an error with a path.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, cast

import ormsgpack

from sayiir_core.errors import EncodeError
from sayiir_rkyv import extension
from sayiir_rkyv.extension import pack_extension

MAX_DEPTH: Final = 254
"""The number of containers that may stand inside each other, as in the project's value model."""

_Dict: TypeAlias = dict[Any, Any]

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_MAX_PATH: Final = 200
_KINDS: Final = frozenset({list, tuple, dict, set, frozenset})
_DIRECT: Final = frozenset({type(None), bool, float, bytes})
_BASES: Final = (bool, int, float, str, bytes, list, tuple, dict, set, frozenset)


def write_packed(value: Any) -> bytes:
    """Return the packed value; raises ``EncodeError`` naming the place of what has no form."""
    writer = _Writer()
    writer.put(value)
    while writer.frames[1:]:
        writer.step()
    return b"".join(writer.frames[0].chunks)


class _Frame:
    """A container that is being written; the outermost frame holds the value itself."""

    __slots__ = ("chunks", "container", "items", "key", "pairs")

    def __init__(self, container: Any) -> None:
        self.container = container
        self.chunks: list[bytes] = []
        self.key: object = None
        kind: type[Any] = type(container)  # pyright: ignore[reportUnknownVariableType]
        self.pairs = kind is dict and _has_other_keys(container)
        self.items: Iterator[tuple[object, Any, bool]] = _members(container)

    def close(self) -> bytes:
        """Return the packed container."""
        body = b"".join(self.chunks)
        count = len(self.container)
        match self.container:
            case dict() if not self.pairs:
                return _head(count, 0x80, b"\xde", b"\xdf") + body
            case list():
                return _array(count, body)
            case dict():
                return _extension(extension.PAIRS, _array(2 * count, body))
            case tuple():
                return _extension(extension.TUPLE, _array(count, body))
            case set():
                return _extension(extension.SET, _array(count, body))
            case _:
                return _extension(extension.FROZENSET, _array(count, body))


class _Writer:
    __slots__ = ("frames",)

    def __init__(self) -> None:
        self.frames = [_Frame(())]

    def put(self, value: Any) -> None:
        """Write a scalar, or begin a container."""
        kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
        if kind in _KINDS:
            self._begin(value)
        else:
            self.frames[-1].chunks.append(self._scalar(kind, value))

    def step(self) -> None:
        """Write the next member of the innermost container, or its end."""
        frame = self.frames[-1]
        for key, value, is_key in frame.items:
            frame.key = key
            if is_key and not frame.pairs:
                frame.chunks.append(ormsgpack.packb(value))
            else:
                self.put(value)
            return
        self.frames.pop()
        self.frames[-1].chunks.append(frame.close())

    def _begin(self, container: Any) -> None:
        if len(self.frames) > MAX_DEPTH:
            cyclic = any(frame.container is container for frame in self.frames)
            problem = "the value contains itself" if cyclic else f"more than {MAX_DEPTH} levels"
            raise EncodeError(f"{self._path()}: {problem}; return a flatter value")
        self.frames.append(_Frame(container))

    def _scalar(self, kind: type[Any], value: Any) -> bytes:
        if kind in _DIRECT:
            return ormsgpack.packb(value)
        if kind is bytearray or kind is memoryview:
            return ormsgpack.packb(bytes(value))
        if (kind is str and _is_plain_text(value)) or (
            kind is int and _SMALLEST <= value <= _LARGEST
        ):
            return ormsgpack.packb(value)
        try:
            return _extension(*pack_extension(value))
        except ValueError as error:
            raise EncodeError(f"{self._path()}: {error}") from None
        except KeyError:
            raise EncodeError(f"{self._path()}: {_refusal(value)}") from None

    def _path(self) -> str:
        path = "$" + "".join(_step(frame) for frame in self.frames[1:])
        return path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}…"


def _members(container: Any) -> Iterator[tuple[object, Any, bool]]:
    """Yield what names a member in a path, the member, and whether it is a key."""
    kind: type[Any] = type(container)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        for key, value in list(container.items()):
            yield key, key, True
            yield key, value, False
    else:
        # A copy: what another thread changes meanwhile may not disturb the loop.
        for place, value in enumerate(list(cast("Iterable[Any]", container))):
            yield place, value, False


def _has_other_keys(container: _Dict) -> bool:
    return not all(type(key) is str and _is_plain_text(key) for key in container)


def _is_plain_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _array(count: int, body: bytes) -> bytes:
    return _head(count, 0x90, b"\xdc", b"\xdd") + body


def _head(count: int, small: int, middle: bytes, large: bytes) -> bytes:
    if count < 16:
        return bytes((small | count,))
    if count < 1 << 16:
        return middle + count.to_bytes(2, "big")
    return large + count.to_bytes(4, "big")


def _extension(code: int, data: bytes) -> bytes:
    return ormsgpack.packb(ormsgpack.Ext(code, data))


def _step(frame: _Frame) -> str:
    key = frame.key
    if isinstance(frame.container, (set, frozenset)):
        return "{…}"
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{ascii(key)[:40]}]"


def _refusal(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return f"{name} cannot be stored; {_remedy(value)}"


def _remedy(value: object) -> str:
    if isinstance(value, enum.Enum):
        return "annotate the task with the type (needs sayiir[pydantic]), or return value.value"
    if dataclasses.is_dataclass(value):
        return "install sayiir[pydantic] to store dataclasses, or return dataclasses.asdict(value)"
    for base in _BASES:
        if isinstance(value, base):
            return f"return {base.__name__}(value)"
    return "return plain data, or annotate the task with a model"
