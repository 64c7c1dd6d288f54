"""The port that turns values into stored bytes and back.

A codec knows bodies only. The envelope around a body (magic, format version, the codec's name,
its flags) is written and read elsewhere, once for all codecs, so one store may hold payloads of
several codecs, each read by the codec that it names.

A codec must tell a body that was cut short from a whole one, because the envelope does not: by an
end mark, by lengths in the body, or by a checksum.
"""

from __future__ import annotations

from typing import Any, Protocol


class ValueForm(Protocol):
    """Convert between a value of an annotated type and plain data.

    Plain data is what JSON can say: None, bool, int, float, str, list, dict with string keys.
    """

    @property
    def annotation(self) -> Any:
        """Return the annotation that this form serves, for codecs that treat some specially."""
        ...

    def dump(self, value: Any) -> Any:
        """Return the value as plain data.

        Raises ``EncodeError`` for a value that is not of the annotated type.
        """
        ...

    def load(self, plain: Any) -> Any:
        """Return the value that plain data describes.

        Raises ``InvalidValueError`` for data that does not fit the annotation.
        """
        ...

    def load_json(self, text: bytes) -> Any:
        """Return the value that JSON text describes, without building plain data in between.

        Raises ``InvalidValueError`` as ``load`` does, and ``CorruptPayloadError`` for text that
        this form's parser cannot read; ``load`` may still do it.
        """
        ...


class Codec(Protocol):
    """Encode values into bodies, and decode bodies from stored payloads.

    Implementations are stateless or thread-safe, never execute what they decode, and never
    change what an already released name means.
    """

    @property
    def name(self) -> str:
        """Return 1 to 15 characters of ``a-z 0-9 . _ + -`` that are stored in every payload."""
        ...

    def encode(self, value: Any) -> tuple[int, bytes]:
        """Return flags of this codec's own, 0 to 15, and the body.

        Raises ``EncodeError`` for a value that does not come back as the value model says.
        """
        ...

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value of the body, which is ``payload[start:]``.

        The whole payload is given so that a reader may work in place. Raises
        ``TruncatedPayloadError`` for a body cut short, ``CorruptPayloadError`` for one that it
        cannot read, ``UnsupportedVersionError`` for flags that it does not know, and nothing
        else, whatever the bytes.
        """
        ...

    def encode_as(self, value: Any, form: ValueForm) -> tuple[int, bytes]:
        """Encode a value of the form's type; errors as ``encode`` and ``form.dump``."""
        ...

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        """Decode into the form's type; errors as ``decode`` and ``form.load``."""
        ...
