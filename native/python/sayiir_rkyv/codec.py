"""The codec: values into rkyv archives, and back whole or by views."""

from __future__ import annotations

from typing import Any

from sayiir_core.errors import UnsupportedVersionError
from sayiir_core.ports.codec import ValueForm
from sayiir_rkyv.document import Document
from sayiir_rkyv.library import Library, TooDeepError
from sayiir_rkyv.packing import pack, pack_path, unpack
from sayiir_rkyv.view import plain, read
from sayiir_rkyv.writing import write_packed


class RkyvCodec:
    """Store plain data and the common scalars of Python, exactly: tuples, sets and keys stay.

    Read it whole, or by views that decode what is asked for. Thread-safe: it holds no state.
    """

    __slots__ = ("_library",)

    def __init__(self) -> None:
        """Load the native library; raises ``ImportError`` where there is none."""
        self._library = Library()

    @property
    def name(self) -> str:
        """Return ``rkyv``."""
        return "rkyv"

    def encode(self, value: Any) -> tuple[int, bytes]:
        """Return the flags and the body; raises ``EncodeError`` naming the place."""
        try:
            return 0, self._library.encode(pack(value))
        except TooDeepError:
            # This names the place.
            return 0, self._library.encode(write_packed(value))

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value of a body; raises one of the payload errors, whatever the bytes."""
        _check(flags)
        return unpack(self._library.dump(payload, start, b"\x90"))

    def view(self, payload: bytes, start: int, flags: int) -> Any:
        """Return what ``decode`` would, but dicts, lists and tuples as views.

        The whole body is validated here; a part is decoded when it is asked for. Bytes inside of
        it come as read-only memoryviews of the payload. Errors as ``decode``; the content of a
        scalar such as a Decimal is judged when it is read.
        """
        _check(flags)
        document = Document(payload, start, self._library)
        value = read(document, document.root)
        return plain(value) if isinstance(value, memoryview) else value

    def extract(self, payload: bytes, start: int, path: tuple[str | int, ...]) -> bytes:
        """Return a body that holds what the path leads to, without decoding it.

        Raises ``LookupError`` if it leads nowhere, else as ``decode``.
        """
        packed = pack_path(path)
        if packed is None:
            raise LookupError(f"no path of texts and integers of 64 bits: {path!a}")
        return self._library.extract(payload, start, packed)

    def dump_instance(self, value: Any, form: ValueForm) -> Any:
        """Return a model or dataclass as data of the rich value model."""
        return form.dump_rich(value)

    def encode_as(self, value: Any, form: ValueForm) -> tuple[int, bytes]:
        """Encode a value of the form's type; errors as ``encode`` and the form's."""
        return self.encode(form.dump_rich(value))

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        """Decode into the form's type; errors as ``decode`` and the form's."""
        return form.load_rich(self.decode(payload, start, flags))


def _check(flags: int) -> None:
    if flags:
        raise UnsupportedVersionError(
            f"the rkyv payload has flags {flags:#06b}, which this release does not know: upgrade "
            f"sayiir-rkyv here to the release that wrote it"
        )
