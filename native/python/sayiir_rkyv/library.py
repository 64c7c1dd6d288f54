"""The one doorway to native code.

Every call hands over bytes and takes bytes back; what it gets is checked whole, each time, by the
library. A buffer of the library is copied and freed before the call returns. ``bytes`` are handed
over without a copy, which is sound because nothing can change them.
"""

from __future__ import annotations

import importlib
from enum import IntEnum
from typing import Any, Final, NoReturn

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)

ABI: Final = 1
"""The version of the C interface that this package speaks."""

LAYOUT: Final = (9, 1, 17, 0, 8, 16, 0, 8, 8, 4, 1, 254)
"""The sizes and places that the views count on, as ``value.rs`` lists them."""

_AGAIN: Final = "restore the row from a backup, or run the instance again"


class Code(IntEnum):
    """What a call returned, beside 0 for success."""

    NOT_FOUND = 1
    BAD_INPUT = 2
    CORRUPT = 3
    TOO_DEEP = 4
    TOO_LARGE = 5
    UNSUPPORTED = 6
    OUT_OF_MEMORY = 7
    TRUNCATED = 8
    PANICKED = -100


class TooDeepError(EncodeError):
    """Report nesting beyond the limit, whose place the library does not know."""


class Library:
    """Call the native library."""

    def __init__(self) -> None:
        """Load it; raises ``ImportError`` if it is missing or not the one for this package."""
        module: Any = importlib.import_module("sayiir_rkyv._native")
        self._ffi: Any = module.ffi
        self._lib: Any = module.lib
        found = self._lib.sy_abi_version()
        if found != ABI:
            raise ImportError(f"the native library has interface {found}, not {ABI}: {_REINSTALL}")
        table = self._ffi.new("uint32_t[]", len(LAYOUT))
        count = self._lib.sy_layout(table, len(LAYOUT))
        if (count, *table) != (len(LAYOUT), *LAYOUT):
            raise ImportError(f"the native library lays archives out otherwise: {_REINSTALL}")

    def encode(self, packed: bytes) -> bytes:
        """Return the body of a packed value; raises ``EncodeError``."""
        return self._bytes(self._lib.sy_encode, packed, len(packed))

    def validate(self, payload: bytes, start: int) -> None:
        """Check the whole body that begins at ``start``; raises the payload errors."""
        error = self._ffi.new("SyErr *")
        code = self._lib.sy_validate(payload, len(payload), start, error)
        if code:
            self._fail(code, error)

    def dump(self, payload: bytes, start: int, path: bytes) -> bytes:
        """Return what a packed path leads to, packed; raises ``LookupError`` and payload errors."""
        return self._bytes(self._lib.sy_dump, payload, len(payload), start, path, len(path))

    def pluck(self, payload: bytes, start: int, path: bytes, inner: bytes) -> bytes:
        """Return what ``inner`` leads to in each item of the list at ``path``; errors as ``dump``."""
        function = self._lib.sy_pluck
        return self._bytes(
            function, payload, len(payload), start, path, len(path), inner, len(inner)
        )

    def extract(self, payload: bytes, start: int, path: bytes) -> bytes:
        """Return a body of what the path leads to; errors as ``dump``."""
        return self._bytes(self._lib.sy_extract, payload, len(payload), start, path, len(path))

    def _bytes(self, function: Any, *arguments: bytes | int) -> bytes:
        out = self._ffi.new("SyBuf *")
        error = self._ffi.new("SyErr *")
        code = function(*arguments, out, error)
        if code:
            self._fail(code, error)
        try:
            result: bytes = self._ffi.buffer(out.ptr, out.len)[:]
            return result
        finally:
            self._lib.sy_free(out)

    def _fail(self, code: int, error: Any) -> NoReturn:
        reason = bytes(self._ffi.buffer(error.msg, error.msg_len)).decode("utf-8", "replace")
        match code:
            case Code.NOT_FOUND:
                raise LookupError(reason)
            case Code.TRUNCATED:
                raise TruncatedPayloadError(
                    f"the rkyv payload was cut short after it was written ({reason}); {_AGAIN}"
                )
            case Code.UNSUPPORTED:
                raise UnsupportedVersionError(
                    f"the rkyv payload holds {reason}, which this release does not know: upgrade "
                    f"sayiir-rkyv here to the release that wrote it"
                )
            case Code.CORRUPT:
                raise CorruptPayloadError(
                    f"the rkyv payload is whole but cannot be read ({reason}): it was damaged "
                    f"after it was written; {_AGAIN}"
                )
            case Code.OUT_OF_MEMORY:
                raise MemoryError(reason)
            case Code.TOO_DEEP:
                raise TooDeepError(reason)
            case _:
                raise EncodeError(f"$: the value cannot be stored as an rkyv archive: {reason}")


_REINSTALL: Final = "install one wheel of sayiir-rkyv, whole (pip install --force-reinstall)"
