"""The codec that reads rkyv payloads without native code, and writes none.

It is slow (some microseconds per value) and decodes all of a payload. It is here so that what was
stored stays readable on every machine, whatever becomes of the native library.
"""

from __future__ import annotations

import zlib
from typing import Any, Final, NoReturn

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_core.ports.codec import ValueForm
from sayiir_runtime.codec.rkyv.archive import BadArchiveError, UnknownExtensionError, read_archive

_HEADER: Final = 8
_AGAIN: Final = "restore the row from a backup, or run the instance again"


class RkyvReader:
    """Decode payloads that the rkyv codec wrote."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return ``rkyv``."""
        return "rkyv"

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value of a body; raises one of the payload errors, whatever the bytes."""
        if flags:
            raise UnsupportedVersionError(
                f"the rkyv payload has flags {flags:#06b}, which this release does not know: "
                f"upgrade sayiir-runtime here to the release that wrote it"
            )
        try:
            return read_archive(_archive(payload, start))
        except BadArchiveError as error:
            raise _corrupt(str(error)) from None
        except UnknownExtensionError as error:
            raise UnsupportedVersionError(
                f"the rkyv payload holds {error}, which this release does not know: upgrade "
                f"sayiir-runtime here to the release that wrote it"
            ) from None

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        """Decode into the form's type; errors as ``decode`` and the form's."""
        return form.load_rich(self.decode(payload, start, flags))

    def encode(self, value: Any) -> NoReturn:  # noqa: ARG002 - the port's signature
        """Raise ``EncodeError``: only the native codec writes archives."""
        raise EncodeError(
            "$: writing rkyv payloads needs the native codec, and only the reader is here; "
            "install sayiir[rkyv], or choose another codec"
        )

    def encode_as(self, value: Any, form: ValueForm) -> NoReturn:  # noqa: ARG002 - as above
        """Raise ``EncodeError``, as ``encode`` does."""
        self.encode(value)


def _archive(payload: bytes, start: int) -> bytes:
    """Return the archive of a body whose length and checksum are right."""
    header = payload[start : start + _HEADER]
    archive = payload[start + _HEADER :]
    size = int.from_bytes(header[:4], "little")
    if len(header) < _HEADER or len(archive) < size:
        raise TruncatedPayloadError(
            f"the rkyv payload ends after {len(payload)} bytes, before its archive does: it was "
            f"cut short after it was written; {_AGAIN}"
        )
    if len(archive) > size:
        raise _corrupt(f"{len(archive) - size} bytes follow the archive")
    if zlib.crc32(archive) != int.from_bytes(header[4:], "little"):
        raise _corrupt("the checksum is wrong")
    return archive


def _corrupt(reason: str) -> CorruptPayloadError:
    return CorruptPayloadError(
        f"the rkyv payload is whole but cannot be read ({reason}): it was damaged after it was "
        f"written; {_AGAIN}"
    )
