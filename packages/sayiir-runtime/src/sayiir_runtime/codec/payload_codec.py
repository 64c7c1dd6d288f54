"""Payloads of several codecs side by side: written by one, each read by the one that it names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sayiir_core.errors import EncodeError, PluginError, UnknownCodecError
from sayiir_core.ports.codec import Codec, ValueForm
from sayiir_runtime.codec.envelope import MAX_FLAGS, header_bytes, parse_header
from sayiir_runtime.codec.typed import Forms


class PayloadCodec:
    """Seal values into payloads and open payloads again."""

    def __init__(self, codecs: Iterable[Codec], *, default: str | None = None) -> None:
        """Take the codecs that can be read; the default, or else the first, writes.

        Raises ``PluginError`` for two codecs of one name and for a default that is not there,
        ``ValueError`` for a name that the format cannot hold.
        """
        self.forms = Forms()
        self._codecs: dict[str, Codec] = {}
        for codec in codecs:
            known = self._codecs.setdefault(codec.name, codec)
            if known is not codec:
                raise PluginError(f"two codecs are called {codec.name!r}: {known!r} and {codec!r}")
        self.default = self._default(default)
        self._writer = self._codecs[self.default]
        self._headers = {flags: header_bytes(self.default, flags) for flags in range(MAX_FLAGS + 1)}
        self._prefix = self._headers[0]
        self._start = len(self._prefix)
        self._write = self._writer.encode
        self._read = self._writer.decode

    def encode(self, value: Any) -> bytes:
        """Return the payload of a plain value.

        Models and dataclasses inside it are dumped by their own type. Raises ``EncodeError``
        naming the place of anything else.
        """
        try:
            flags, body = self._write(value)
        except EncodeError as error:
            flags, body = self._encode_instances(value, error)
        return self._headers[flags] + body

    def decode(self, payload: bytes) -> Any:
        """Return the plain value of a payload; raises a ``PayloadError`` for any other bytes."""
        if payload.startswith(self._prefix):
            return self._read(payload, self._start, 0)
        codec, start, flags = self._open(payload)
        return codec.decode(payload, start, flags)

    def encode_as(self, value: Any, annotation: Any) -> bytes:
        """Return the payload of a value of the annotated type.

        A value of another type is stored as it is, if it is plain: who reads it under an
        annotation will judge it.
        """
        form = self.forms.of(annotation)
        return self.encode(value) if form is None else self.encode_form(value, form)

    def decode_as(self, payload: bytes, annotation: Any) -> Any:
        """Return the payload's value as the annotated type.

        Raises ``InvalidValueError`` if it does not fit, and a ``PayloadError`` as ``decode``.
        """
        form = self.forms.of(annotation)
        return self.decode(payload) if form is None else self.decode_form(payload, form)

    def encode_form(self, value: Any, form: ValueForm) -> bytes:
        """Do ``encode_as`` for a form that is at hand."""
        try:
            flags, body = self._writer.encode_as(value, form)
        except EncodeError as mismatch:
            return self._encode_mismatch(value, mismatch)
        return self._headers[flags] + body

    def decode_form(self, payload: bytes, form: ValueForm) -> Any:
        """Do ``decode_as`` for a form that is at hand."""
        if payload.startswith(self._prefix):
            return self._writer.decode_as(payload, self._start, 0, form)
        codec, start, flags = self._open(payload)
        return codec.decode_as(payload, start, flags, form)

    def _encode_instances(self, value: Any, error: EncodeError) -> tuple[int, bytes]:
        plain = self.forms.replace_instances(value)
        if plain is value:
            raise error
        return self._write(plain)

    def _encode_mismatch(self, value: Any, mismatch: EncodeError) -> bytes:
        try:
            return self.encode(value)
        except EncodeError:
            raise mismatch from None

    def _open(self, payload: bytes) -> tuple[Codec, int, int]:
        header = parse_header(payload)
        codec = self._codecs.get(header.codec)
        if codec is None:
            raise UnknownCodecError(
                f"the payload was written by codec {header.codec!r} and only "
                f"{', '.join(sorted(self._codecs))} can be read here: install the package that "
                f"brings it (for msgpack: sayiir[msgpack]), or pass the codec"
            )
        return codec, header.size, header.flags

    def _default(self, name: str | None) -> str:
        if not self._codecs:
            raise PluginError("no codec to write payloads with; pass JsonCodec() at least")
        if name is None:
            return next(iter(self._codecs))
        if name not in self._codecs:
            raise PluginError(f"no codec {name!r}; there are {', '.join(sorted(self._codecs))}")
        return name
