"""What a task's signature says about its values, read once and ready for every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from sayiir_core.errors import InvalidValueError
from sayiir_core.ports.codec import ValueForm
from sayiir_runtime.codec.annotation import read_hints
from sayiir_runtime.codec.payload_codec import PayloadCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskValues:
    """Convert what one callable takes and returns.

    Each conversion is an attribute, not a method, so that a task without annotations calls the
    payload codec itself.
    """

    takes_value: bool
    """Whether the callable is called with the value, or without any argument."""

    decode_input: Callable[[bytes], Any]
    """Return the argument that a payload holds; raises ``InvalidValueError`` if it does not fit."""

    decode_plain: Callable[[Any], Any]
    """Return the argument for a plain value that no payload holds, as reading it back would."""

    encode_input: Callable[[Any], bytes]
    """Return the payload of a value that a caller hands in for this callable."""

    encode_output: Callable[[Any], bytes]
    """Return the payload of what the callable returned; raises ``EncodeError``."""

    plain_input: bool
    """Whether the parameter asks for nothing beyond plain values, so that scalars pass as is."""

    plain_output: bool
    """Whether the result asks for nothing beyond plain values, so that scalars pass as is."""

    @classmethod
    def from_function(
        cls, fn: Callable[..., Any], payloads: PayloadCodec, *, unwrap: tuple[type, ...] = ()
    ) -> TaskValues:
        """Read a callable's signature; never raises for what it finds there.

        A result annotated by one of the generic classes in ``unwrap`` is encoded as its first
        type argument, because the caller hands over what was inside.
        """
        hints = read_hints(fn)
        takes = payloads.forms.of(hints.takes)
        returns = payloads.forms.of(_unwrapped(hints.returns, unwrap))
        place = f"parameter {hints.parameter!r} of {hints.name}"
        decode_input = payloads.decode if takes is None else _reader(payloads, takes, place)
        return cls(
            takes_value=hints.takes_value,
            decode_input=decode_input,
            decode_plain=_same if takes is None else lambda v: decode_input(payloads.encode(v)),
            encode_input=_writer(payloads, takes),
            encode_output=_writer(payloads, returns),
            plain_input=takes is None,
            plain_output=returns is None,
        )


def _reader(payloads: PayloadCodec, form: ValueForm, place: str) -> Callable[[bytes], Any]:
    def read(payload: bytes) -> Any:
        try:
            return payloads.decode_form(payload, form)
        except InvalidValueError as error:
            raise InvalidValueError(error.problem, place=place) from error.__cause__

    return read


def _writer(payloads: PayloadCodec, form: ValueForm | None) -> Callable[[Any], bytes]:
    if form is None:
        return payloads.encode
    return lambda value: payloads.encode_form(value, form)


def _unwrapped(annotation: Any, unwrap: tuple[type, ...]) -> Any:
    if annotation in unwrap:
        return Any
    if get_origin(annotation) in unwrap:
        return get_args(annotation)[0]
    return annotation


def _same(value: Any) -> Any:
    return value
