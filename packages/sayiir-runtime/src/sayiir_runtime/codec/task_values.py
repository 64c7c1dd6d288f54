"""What a task's signature says about its values, read once and ready for every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, get_args, get_origin

from sayiir_core.errors import EncodeError, InvalidValueError
from sayiir_core.ports.codec import Place, ValueForm
from sayiir_core.ports.view import Lazy
from sayiir_runtime.codec.annotation import read_hints
from sayiir_runtime.codec.opened import Opened
from sayiir_runtime.codec.payload_codec import PayloadCodec
from sayiir_runtime.codec.view import view_of


class Decode(Protocol):
    """Return the value of a payload; the place is needed if the codec binds."""

    def __call__(self, payload: bytes, place: Place | None = None, /) -> Any:
        """Decode."""
        ...


class Encode(Protocol):
    """Return the payload of a value; the place is needed if the codec binds."""

    def __call__(self, value: Any, place: Place | None = None, /) -> bytes:
        """Encode."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskValues:
    """Convert what one callable takes and returns.

    Each conversion is an attribute, not a method, so that a task without annotations calls the
    payload codec itself.
    """

    takes_value: bool
    """Whether the callable is called with the value, or without any argument."""

    decode_input: Decode
    """Return the argument that a payload holds; raises ``InvalidValueError`` if it does not fit."""

    decode_plain: Callable[[Any], Any]
    """Return the argument for a plain value that no payload holds, as reading it back would."""

    lazy: Callable[[Opened], Any] | None
    """Return the argument for a payload that others may look at too, None if it is decoded."""

    encode_input: Encode
    """Return the payload of a value that a caller hands in for this callable."""

    encode_output: Encode
    """Return the payload of what the callable returned; raises ``EncodeError``."""

    plain_input: bool
    """Whether the parameter asks for nothing beyond plain values, so that scalars pass as is."""

    plain_output: bool
    """Whether the result asks for nothing beyond plain values, so that scalars pass as is."""

    binds: bool
    """Whether payloads may be bound to their place, so that it has to be given."""

    @classmethod
    def from_function(
        cls,
        fn: Callable[..., Any],
        payloads: PayloadCodec,
        *,
        unwrap: tuple[type, ...] = (),
        inputs: PayloadCodec | None = None,
    ) -> TaskValues:
        """Read a callable's signature; never raises for what it finds there.

        A result annotated by one of the generic classes in ``unwrap`` is encoded as its first
        type argument, because the caller hands over what was inside. ``inputs`` encodes what a
        caller hands in, if that is another than ``payloads``.
        """
        hints = read_hints(fn)
        is_lazy = hints.takes is Lazy or get_origin(hints.takes) is Lazy
        takes = payloads.forms.of(_unwrapped(hints.takes, (Lazy,)))
        returns = payloads.forms.of(_unwrapped(hints.returns, (*unwrap, Lazy)))
        reader = _Reader(payloads, takes, f"parameter {hints.parameter!r} of {hints.name}")
        decode_input: Decode = reader.decode
        decode_plain: Callable[[Any], Any] = reader.decode_plain
        if is_lazy:
            decode_input, decode_plain = reader.look, reader.look_at_plain
        elif takes is None:
            decode_input, decode_plain = payloads.decode, _same
        return cls(
            takes_value=hints.takes_value,
            decode_input=decode_input,
            decode_plain=decode_plain,
            lazy=reader.lazy if is_lazy else None,
            encode_input=_writer(inputs or payloads, takes),
            encode_output=_writer(payloads, returns),
            plain_input=takes is None and not is_lazy,
            plain_output=returns is None,
            binds=payloads.binds,
        )


class _Reader:
    """Read values for one parameter."""

    def __init__(self, payloads: PayloadCodec, form: ValueForm | None, place: str) -> None:
        self._payloads = payloads
        self._form = form
        self._place = place

    def decode(self, payload: bytes, place: Place | None = None, /) -> Any:
        """Return the value as the annotation says."""
        assert self._form is not None, "without a form the payload codec is called itself"
        try:
            return self._payloads.decode_form(payload, self._form, place)
        except InvalidValueError as error:
            raise self._misfit(error) from error.__cause__

    def decode_plain(self, value: Any) -> Any:
        """Return the value as the annotation says, of one that was put together of others."""
        payloads = self._payloads.unsealed
        try:
            payload = payloads.encode(value)
        except EncodeError:
            # A branch of another codec gave what this one cannot hold, such as bytes.
            if self._form is None:
                raise
            return self._formed(value)
        return self._decoded(payloads.open(payload))

    def _formed(self, value: Any) -> Any:
        assert self._form is not None
        try:
            return self._form.load_rich(value)
        except InvalidValueError as error:
            raise self._misfit(error) from error.__cause__

    def look(self, payload: bytes, place: Place | None = None, /) -> Any:
        """Return a look at the value."""
        return self.lazy(self._payloads.open(payload, place))

    def lazy(self, opened: Opened) -> Any:
        """Return a look at a payload that others may look at, too."""
        return Lazy[Any](opened.root, lambda: self._decoded(opened), opened.payload)

    def look_at_plain(self, value: Any) -> Any:
        """Return a look at a value that was put together of others, which may be views."""
        return Lazy[Any](lambda: view_of(value), lambda: self.decode_plain(value))

    def _decoded(self, opened: Opened) -> Any:
        try:
            return opened.decode(self._form)
        except InvalidValueError as error:
            raise self._misfit(error) from error.__cause__

    def _misfit(self, error: InvalidValueError) -> InvalidValueError:
        return InvalidValueError(error.problem, place=self._place)


def _writer(payloads: PayloadCodec, form: ValueForm | None) -> Encode:
    if form is None:
        return payloads.encode

    def write(value: Any, place: Place | None = None, /) -> bytes:
        return payloads.encode_form(value, form, place)

    return write


def _unwrapped(annotation: Any, unwrap: tuple[type, ...]) -> Any:
    if annotation in unwrap:
        return Any
    if get_origin(annotation) in unwrap:
        return get_args(annotation)[0]
    return annotation


def _same(value: Any) -> Any:
    return value
