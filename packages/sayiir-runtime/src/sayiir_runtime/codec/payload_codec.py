"""Payloads of several codecs side by side: written by one, each read by the one that it names.

How this works: a ``PayloadCodec`` is a choice of what writes, over a catalogue of what can read.
``choosing`` makes another choice over the same catalogue, for a workflow or a task. The wrappers
``around`` are not a part of that choice: whoever runs workflows decides that what they store is
encrypted, and no workflow can opt out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from itertools import pairwise
from typing import Any, Final, cast

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    PluginError,
    UnknownCodecError,
    UnsealedPayloadError,
)
from sayiir_core.ports.codec import Codec, Place, SupportsRichValues, ValueForm, Wrapper
from sayiir_core.ports.view import Lazy
from sayiir_runtime.codec.catalogue import Catalogue, Discovery, Part, is_wrapper, remedy_for
from sayiir_runtime.codec.envelope import MAX_FLAGS, header_bytes, parse_header
from sayiir_runtime.codec.opened import Opened
from sayiir_runtime.codec.typed import Forms

AUTO: Final = "auto"
"""The choice of the best codec for each value: ``msgpack``, or ``rkyv`` for large ones."""

_SMALL, _LARGE = "msgpack", "rkyv"

LARGE_BYTES: Final = 4096
"""The encoded size from which ``auto`` uses ``rkyv``, if that is installed."""

_MOST_WRAPPERS: Final = 8

_NO_PREFIX: Final = b"\x00"
"""What no payload starts with, so that all of them take the long way."""


class PayloadCodec:
    """Seal values into payloads and open payloads again."""

    def __init__(
        self,
        codecs: Iterable[Part],
        *,
        default: str | None = None,
        around: Iterable[Wrapper] = (),
        discovery: Discovery | None = None,
    ) -> None:
        """Take the codecs that can be read; the default, or else the first, writes.

        ``default`` may name wrappers too, as in ``zstd+json``. Every payload is wrapped by
        ``around``, outermost first, whatever codec a workflow or a task chooses. ``discovery``
        is asked for names that are not among the codecs. Raises ``PluginError`` for two codecs of
        one name and for a default that is not there, ``ValueError`` for a name that the format
        cannot hold.
        """
        self.forms: Final = Forms()
        self._around = tuple(around)
        self._catalogue = Catalogue((*codecs, *self._around), discovery)
        catalogue = self._catalogue
        names = [name for name in catalogue.names() if not is_wrapper(catalogue.get(name))]
        if default is None and not names:
            raise PluginError("no codec to write payloads with; pass JsonCodec() at least")
        self._chosen: dict[str, tuple[Codec | None, PayloadCodec]] = {}
        self._choose(default or names[0], None, bare=False)

    def _choose(self, choice: str, writer: Codec | None, *, bare: bool) -> None:
        catalogue = self._catalogue
        own, name = ([], choice) if writer is not None else catalogue.chain(choice)
        self._large: Codec | None = None
        if name == AUTO and writer is None:
            if catalogue.get(_SMALL) is None:
                raise catalogue.missing(AUTO)
            name = _SMALL
            self._large = None if catalogue.get(_LARGE) is None else catalogue.codec(_LARGE)
        self.default = choice
        self._given = writer
        self._bare = bare
        self._unsealed: PayloadCodec | None = None
        self._writer = writer or catalogue.codec(name)
        self._wrappers = () if bare else _joined(self._around, own)
        self._headers = _headers(self._writer)
        self._is_plain = not self._wrappers and self._large is None
        self._seal = next((wrapper for wrapper in self._around if wrapper.seals), None)
        if bare:
            self._seal = None
        self._prefix = self._headers[0] if self._seal is None else _NO_PREFIX
        self._start = len(self._headers[0])
        self._write = self._writer.encode
        self._read = self._writer.decode

    def choosing(self, choice: str | Codec) -> PayloadCodec:
        """Return the payload codec that reads as this one and writes by another codec.

        ``choice`` is a name as ``default`` is, ``auto``, or a codec. Raises ``PluginError`` with
        the remedy if there is no such codec.
        """
        if choice == self.default:
            return self
        name = choice if isinstance(choice, str) else choice.name
        writer = None if isinstance(choice, str) else choice
        known, chosen = self._chosen.get(name, (None, None))
        if chosen is None or known is not writer:
            chosen = self._derived(name, writer)
            self._chosen[name] = writer, chosen
        return chosen

    @property
    def binds(self) -> bool:
        """Tell whether payloads may be bound to their place, so that it has to be given."""
        return not self._bare and self._catalogue.binds

    @property
    def unsealed(self) -> PayloadCodec:
        """Return the payload codec that wraps nothing, for values that are not stored."""
        if self._bare or not self._around:
            return self
        if self._unsealed is None:
            self._unsealed = self._derived(self.default, self._given, bare=True)
        return self._unsealed

    def _derived(self, name: str, writer: Codec | None, *, bare: bool = False) -> PayloadCodec:
        # It shares the catalogue, the forms, and what was chosen already.
        made: PayloadCodec = copy(self)
        if bare:
            made._chosen = {}
        if writer is not None:
            known = self._catalogue.get(name)
            if known is None:
                self._catalogue.add(writer)
            elif known is not writer:
                # Another codec object of this name came before: who writes by this reads by it.
                made._catalogue, made._chosen = self._catalogue.with_part(writer), {}
        made._choose(name, writer, bare=bare or self._bare)
        return made

    def encode(self, value: Any, place: Place | None = None) -> bytes:
        """Return the payload of a plain value.

        Models, dataclasses and views inside it are dumped by their own type. ``place`` is where
        the payload will be stored, and needed if this codec ``binds``. Raises ``EncodeError``
        naming the place in the value of anything else.
        """
        try:
            flags, body = self._write(value)
        except EncodeError as error:
            return self._encode_instances(value, error, place)
        if self._is_plain:
            return self._headers[flags] + body
        return self._finished(self._headers[flags] + body, value, None, place)

    def decode(self, payload: bytes, place: Place | None = None) -> Any:
        """Return the plain value of a payload; raises a ``PayloadError`` for any other bytes."""
        if payload.startswith(self._prefix):
            return self._read(payload, self._start, 0)
        return self.open(payload, place).decode()

    def encode_as(self, value: Any, annotation: Any, place: Place | None = None) -> bytes:
        """Return the payload of a value of the annotated type.

        A value of another type is stored as it is, if it is plain: who reads it under an
        annotation will judge it.
        """
        form = self.forms.of(annotation)
        if form is None:
            return self.encode(value, place)
        return self.encode_form(value, form, place)

    def decode_as(self, payload: bytes, annotation: Any, place: Place | None = None) -> Any:
        """Return the payload's value as the annotated type.

        Raises ``InvalidValueError`` if it does not fit, and a ``PayloadError`` as ``decode``.
        """
        form = self.forms.of(annotation)
        if form is None:
            return self.decode(payload, place)
        return self.decode_form(payload, form, place)

    def encode_form(self, value: Any, form: ValueForm, place: Place | None = None) -> bytes:
        """Do ``encode_as`` for a form that is at hand."""
        try:
            flags, body = self._writer.encode_as(value, form)
        except EncodeError as mismatch:
            return self._encode_mismatch(value, mismatch, place)
        payload = self._headers[flags] + body
        return payload if self._is_plain else self._finished(payload, value, form, place)

    def decode_form(self, payload: bytes, form: ValueForm, place: Place | None = None) -> Any:
        """Do ``decode_as`` for a form that is at hand."""
        if payload.startswith(self._prefix):
            return self._writer.decode_as(payload, self._start, 0, form)
        return self.open(payload, place).decode(form)

    def open(self, payload: bytes, place: Place | None = None) -> Opened:
        """Return a payload without its wrappers; raises a ``PayloadError`` for bad bytes."""
        header = parse_header(payload)
        if self._seal is not None and header.codec != self._seal.name:
            raise UnsealedPayloadError(
                f"the payload is not encrypted (it is of codec {header.codec!r}) and only "
                f"encrypted ones are read here; if it was written before encryption was switched "
                f"on, pass accept_plain=True until those instances have ended"
            )
        for _ in range(_MOST_WRAPPERS + 1):
            part = self._catalogue.reader(header.codec)
            if part is None:
                raise self._unknown(header.codec)
            if not is_wrapper(part):
                return Opened(cast("Codec", part), payload, header.size, header.flags)
            payload = part.unwrap(payload, header.size, header.flags, place)
            header = parse_header(payload)
        raise CorruptPayloadError(
            f"the payload has more than {_MOST_WRAPPERS} wrappers inside each other: it was not "
            f"written by this library; restore the row from a backup"
        )

    def moved(self, payload: bytes, place: Place, to: Place) -> bytes:
        """Return a payload for another place than the one that it is bound to, if it is to any."""
        header = parse_header(payload)
        part = self._catalogue.get(header.codec)
        if not is_wrapper(part) or not part.binds:
            return payload
        inner = part.unwrap(payload, header.size, header.flags, place)
        return _wrapped(part, inner, to)

    def _finished(
        self, payload: bytes, value: Any, form: ValueForm | None, place: Place | None
    ) -> bytes:
        large = self._large
        if large is not None and len(payload) - self._start >= LARGE_BYTES:
            # What the other refuses, such as more levels, stays as it is.
            with suppress(EncodeError):
                flags, body = large.encode(value) if form is None else large.encode_as(value, form)
                payload = header_bytes(large.name, flags) + body
        return self._wrap(payload, place)

    def _wrap(self, payload: bytes, place: Place | None) -> bytes:
        for wrapper in reversed(self._wrappers):
            payload = _wrapped(wrapper, payload, place)
        return payload

    def _encode_instances(self, value: Any, error: EncodeError, place: Place | None) -> bytes:
        if isinstance(value, Lazy):
            if value.payload is not None:
                return self._wrap(value.payload, place)
            return self.encode(value.root.decode(), place)
        writer = self._writer
        rich = writer if isinstance(writer, SupportsRichValues) else None
        plain = self.forms.replace_instances(value, None if rich is None else rich.dump_instance)
        if plain is value:
            raise error
        flags, body = self._write(plain)
        payload = self._headers[flags] + body
        return payload if self._is_plain else self._finished(payload, plain, None, place)

    def _encode_mismatch(self, value: Any, mismatch: EncodeError, place: Place | None) -> bytes:
        try:
            return self.encode(value, place)
        except EncodeError:
            raise mismatch from None

    def _unknown(self, name: str) -> UnknownCodecError:
        return UnknownCodecError(
            f"the payload was written by codec {name!r} and only "
            f"{', '.join(sorted(self._catalogue.names()))} can be read here: {remedy_for(name)}"
        )


def _joined(around: tuple[Wrapper, ...], own: list[Wrapper]) -> tuple[Wrapper, ...]:
    """Return all wrappers, outermost first; ``PluginError`` for one that binds inside another."""
    names = {wrapper.name for wrapper in around}
    joined = (*around, *(wrapper for wrapper in own if wrapper.name not in names))
    for outer, inner in pairwise(joined):
        if inner.binds:
            raise PluginError(
                f"{inner.name!r} must stand outermost, because it binds payloads to their place "
                f"and {outer.name!r} can do nothing for what is encrypted: "
                f"write '{inner.name}+{outer.name}+…'"
            )
    return joined


def _wrapped(wrapper: Wrapper, payload: bytes, place: Place | None) -> bytes:
    sealed = wrapper.wrap(payload, place)
    return payload if sealed is None else header_bytes(wrapper.name, sealed[0]) + sealed[1]


def _headers(codec: Codec) -> dict[int, bytes]:
    return {flags: header_bytes(codec.name, flags) for flags in range(MAX_FLAGS + 1)}
