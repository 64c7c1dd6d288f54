"""JSON text for what orjson refuses, loses or accepts too readily.

Written by a loop, not by recursion, so that depth and cycles end in an error that names the
place. A text is *wide* if it holds something that plain JSON readers cannot give back: integers
beyond 64 bits, NaN and infinities, lone surrogates. Only wide texts need ``read_wide``; all
others are written byte for byte as orjson writes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any, Final, TypeAlias

import orjson

from sayiir_core.errors import EncodeError
from sayiir_runtime.codec.integer import format_integer, parse_integer
from sayiir_runtime.codec.refusal import describe_refusal, join_path
from sayiir_runtime.codec.value import MAX_DEPTH, key_text

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_Container: TypeAlias = list[Any] | tuple[Any, ...] | dict[Any, Any]

_WORDS: Final[dict[bool | None, bytes]] = {None: b"null", False: b"false", True: b"true"}


def write_text(value: Any) -> tuple[bytes, bool]:
    """Return the text of a value of the value model, and whether it is wide.

    Raises ``EncodeError`` naming the place of what the model does not cover.
    """
    writer = _Writer()
    writer.put(value)
    while writer.frames:
        writer.step()
    return b"".join(writer.chunks), writer.wide


def read_wide(text: bytes) -> Any:
    """Return the value of a wide text.

    Raises ``ValueError`` for bytes that are none and ``RecursionError`` for too deep ones.
    """
    return _WIDE_DECODER.decode(text.decode("utf-8", "surrogatepass"))


_WIDE_DECODER: Final = json.JSONDecoder(parse_int=parse_integer)


class _Frame:
    """A list or dict that is being written."""

    __slots__ = ("container", "end", "items", "key", "keys", "started")

    def __init__(self, container: _Container) -> None:
        self.container = container
        self.keys: set[str] | None = None
        self.key: object = None
        self.started = False
        self.items: Iterator[tuple[Any, Any]]
        if isinstance(container, dict):
            self.keys = set()
            self.items = iter(list(container.items()))
            self.end = b"}"
        else:
            self.items = enumerate(container)
            self.end = b"]"


class _Writer:
    __slots__ = ("chunks", "frames", "wide")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.frames: list[_Frame] = []
        self.wide = False

    def put(self, value: Any) -> None:
        """Write a scalar, or begin a container."""
        kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
        if kind is str:
            self.chunks.append(self._text(value))
        elif value is None or kind is bool:
            self.chunks.append(_WORDS[value])
        elif kind is int:
            self.chunks.append(self._integer(value))
        elif kind is float:
            self.chunks.append(self._float(value))
        elif kind is dict or kind is list or kind is tuple:
            self._begin(value)
        else:
            raise EncodeError(describe_refusal(self._path(), value))

    def step(self) -> None:
        """Write the next item of the innermost container, or its end."""
        frame = self.frames[-1]
        for key, value in frame.items:
            if frame.started:
                self.chunks.append(b",")
            frame.started = True
            if frame.keys is not None:
                self._put_key(key, frame.keys)
            frame.key = key
            self.put(value)
            return
        self.chunks.append(frame.end)
        self.frames.pop()

    def _begin(self, container: _Container) -> None:
        if len(self.frames) == MAX_DEPTH:
            cyclic = any(frame.container is container for frame in self.frames)
            problem = "the value contains itself" if cyclic else f"more than {MAX_DEPTH} levels"
            raise EncodeError(f"{self._path()}: {problem}; return a flatter value")
        self.chunks.append(b"{" if isinstance(container, dict) else b"[")
        self.frames.append(_Frame(container))

    def _put_key(self, key: object, seen: set[str]) -> None:
        try:
            text = key_text(key)
        except (EncodeError, ValueError) as error:
            raise EncodeError(
                f"{self._path(-1)}: {error} cannot be stored; use str, int, float, bool or None"
            ) from None
        if text in seen:
            raise EncodeError(
                f"{self._path(-1)}: two keys of this dict become {text[:40]!r}, because keys are "
                f"stored as text; make them differ"
            )
        seen.add(text)
        self.chunks.append(self._text(text) + b":")

    def _text(self, text: str) -> bytes:
        try:
            return orjson.dumps(text)
        except orjson.JSONEncodeError:
            self.wide = True
            return encode_basestring(text).encode("utf-8", "surrogatepass")

    def _integer(self, number: int) -> bytes:
        if not _SMALLEST <= number <= _LARGEST:
            self.wide = True
        try:
            return format_integer(number).encode("ascii")
        except ValueError as error:
            raise EncodeError(f"{self._path()}: {error}; return hex(value)") from None

    def _float(self, number: float) -> bytes:
        if math.isfinite(number):
            return orjson.dumps(number)
        self.wide = True
        return key_text(number).encode("ascii")

    def _path(self, end: int | None = None) -> str:
        return join_path([frame.key for frame in self.frames[:end]])
