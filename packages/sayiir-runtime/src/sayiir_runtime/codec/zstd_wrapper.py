"""Compression of payloads by Zstandard.

Small payloads, and those that do not get smaller, are left as they are. What a payload unpacks to
is bounded, so that no stored bytes can fill the memory.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

from sayiir_core.errors import (
    CorruptPayloadError,
    PayloadError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_core.ports.codec import Place

MAX_BYTES: Final = 64 * 1024 * 1024
"""The largest payload that is compressed, and the largest that is read, unless told otherwise."""

SMALLEST_BYTES: Final = 256
"""Below this there is nothing to gain."""

LEVEL: Final = 3

_WINDOW_LOG: Final = 27
_LIBRARY: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


class Zstd:
    """Compress payloads that get smaller by it."""

    def __init__(
        self, *, level: int = LEVEL, smallest: int = SMALLEST_BYTES, max_bytes: int = MAX_BYTES
    ) -> None:
        """Take the level of Zstandard (1 to 22) and the sizes, in bytes, that it works on.

        Raises ``ImportError`` where the library is missing: install ``sayiir[zstd]``.
        """
        self._zstd: Any = importlib.import_module(_LIBRARY)
        parameter = self._zstd.CompressionParameter
        lowest, highest = 1, parameter.compression_level.bounds()[1]
        if not lowest <= level <= highest:
            raise ValueError(f"level must be {lowest} to {highest}, not {level}")
        self._options = {parameter.compression_level: level, parameter.checksum_flag: 1}
        self._limits = {self._zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        self._smallest = smallest
        self._max_bytes = max_bytes

    @property
    def name(self) -> str:
        """Return ``zstd``."""
        return "zstd"

    @property
    def binds(self) -> bool:
        """Return False: a compressed payload may stand anywhere."""
        return False

    @property
    def seals(self) -> bool:
        """Return False: others are read, too."""
        return False

    def wrap(
        self,
        payload: bytes,
        place: Place | None,  # noqa: ARG002 - the port's signature
    ) -> tuple[int, bytes] | None:
        """Return the payload compressed, None if it is to stay as it is."""
        if not self._smallest <= len(payload) <= self._max_bytes:
            return None
        body: bytes = self._zstd.compress(payload, options=self._options)
        return (0, body) if len(body) + len(_HEADER) < len(payload) else None

    def unwrap(
        self,
        payload: bytes,
        start: int,
        flags: int,
        place: Place | None,  # noqa: ARG002 - the port's signature
    ) -> bytes:
        """Return the payload that was compressed; raises a ``PayloadError`` for other bytes."""
        if flags:
            raise UnsupportedVersionError(
                f"the compressed payload has flags {flags:#06b}, which this release does not "
                f"know: upgrade sayiir-runtime here to the release that wrote it"
            )
        unpacker = self._zstd.ZstdDecompressor(options=self._limits)
        try:
            inner: bytes = unpacker.decompress(payload[start:], max_length=self._max_bytes + 1)
        except (self._zstd.ZstdError, EOFError, MemoryError) as error:
            raise _corrupt(str(error)[:200]) from None
        if len(inner) > self._max_bytes:
            raise _corrupt(
                f"it unpacks to more than {self._max_bytes:,} bytes; if that is meant, pass "
                f"Zstd(max_bytes=…)"
            )
        if not unpacker.eof:
            raise TruncatedPayloadError(
                f"the compressed payload ends after {len(payload)} bytes without its end: it was "
                f"cut short after it was written; restore the row from a backup, or run the "
                f"instance again"
            )
        if unpacker.unused_data:
            raise _corrupt("bytes follow its end")
        return inner


_HEADER: Final = b"\xf5S\x01\x40zstd"


def _corrupt(why: str) -> PayloadError:
    return CorruptPayloadError(
        f"the compressed payload cannot be unpacked ({why}): it was damaged after it was written; "
        f"restore the row from a backup, or run the instance again"
    )
