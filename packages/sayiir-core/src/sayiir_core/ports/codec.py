"""The port that turns values into stored bytes and back.

A codec knows bodies only. The envelope around a body (magic, format version, the codec's name,
its flags) is written and read elsewhere, once for all codecs, so one store may hold payloads of
several codecs, each read by the codec that it names.

A codec must tell a body that was cut short from a whole one, because the envelope does not: by an
end mark, by lengths in the body, or by a checksum.

What a codec can do beyond that it declares by having the method: ``SupportsViews``,
``SupportsRichValues``. A *wrapper* (compression, encryption) is no codec. It wraps whole payloads,
whatever codec wrote them, and may bind each to the place where it is stored.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.snapshot.reference import Leaf, SignalRef, encode_ref


class ValueForm(Protocol):
    """Convert between a value of an annotated type and data that a codec can store.

    *Plain* data is what JSON can say: None, bool, int, float, str, list, dict with string keys.
    *Rich* data may also hold bytes, tuples, sets, frozensets, complex numbers, dates and times,
    ``Decimal``, ``UUID``, and dicts with any keys.
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

    def dump_rich(self, value: Any) -> Any:
        """Return the value as rich data; errors as ``dump``."""
        ...

    def load_rich(self, data: Any) -> Any:
        """Return the value that rich data describes; errors as ``load``."""
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


@runtime_checkable
class SupportsViews(Protocol):
    """A codec that can read parts of a body without decoding all of it."""

    def view(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value as ``decode`` would, with views instead of dicts, lists and tuples.

        The body is validated here, once, with the errors of ``decode``. A view of a dict is a
        ``Mapping``, any other a ``Sequence``; both are immutable and may be shared by threads, give
        scalars and further views, equal plain values of the same content, and have ``decode()``,
        which returns plain data anew. A view may keep the whole payload alive.
        """
        ...


@runtime_checkable
class SupportsRichValues(Protocol):
    """A codec whose values are rich data: tuples stay tuples, and keys keep their type."""

    def dump_instance(self, value: Any, form: ValueForm) -> Any:
        """Return a model or dataclass that no annotation announces as data for ``encode``."""
        ...


class Place(NamedTuple):
    """Where a payload is stored: what it is the value of, in which run of which instance.

    A signal is sent before any run takes it, and by name; so it belongs to the instance alone.
    """

    instance_id: InstanceId
    run_id: RunId | None
    leaf: Leaf | None

    def text(self) -> str:
        """Return the place as text, different for every two places."""
        if self.leaf is None or isinstance(self.leaf, SignalRef):
            return f"signal\0{self.instance_id}"
        return f"run\0{self.run_id}\0{encode_ref(self.leaf)}"


class Wrapper(Protocol):
    """Wrap payloads, envelope and all, and unwrap them again; thread-safe as a codec is."""

    @property
    def name(self) -> str:
        """Return a name as a codec has; it stands in the envelope around the wrapped payload."""
        ...

    @property
    def binds(self) -> bool:
        """Tell whether payloads are bound to their place, so that ``place`` must be given."""
        ...

    @property
    def seals(self) -> bool:
        """Tell whether payloads that this wrapper did not wrap must be refused."""
        ...

    def wrap(self, payload: bytes, place: Place | None) -> tuple[int, bytes] | None:
        """Return flags of this wrapper's own, 0 to 15, and the body.

        None leaves the payload as it is. Raises ``EncodeError`` where it cannot be wrapped.
        """
        ...

    def unwrap(self, payload: bytes, start: int, flags: int, place: Place | None) -> bytes:
        """Return the payload that was wrapped; the body is ``payload[start:]``.

        Raises a ``PayloadError``, and nothing else, whatever the bytes. No error text holds a key
        or any part of what was wrapped.
        """
        ...
