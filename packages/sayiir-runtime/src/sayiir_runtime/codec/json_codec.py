"""The JSON codec: orjson wherever its result can be trusted, our own writer elsewhere.

How this works. orjson is told to pass on what it would otherwise accept silently (datetimes,
dataclasses, subclasses), and a hook refuses it. Three things it does not pass on:

* Enum members and UUIDs. An instance of either is known to the garbage collector, which strings
  and numbers are not, so only the *tracked* objects of a value have to be looked at, and a dict
  of strings and numbers is itself untracked until CPython 3.14.
* NaN and infinities become ``null``. Only a text that holds a ``null`` is suspicious; it is
  read back and compared.
* Integers beyond 64 bits raise when written but *load as floats*, hence the wide flag.

In every case of doubt the value goes to ``write_text``, which either writes it or names the
place and the reason. A body ends with a line feed. Compact JSON has none elsewhere, so no proper
prefix of a body is a body: a number cut short is found as surely as an object cut short.
"""

from __future__ import annotations

from gc import get_referents, is_tracked
from typing import Any, Final

import orjson

from sayiir_core.errors import (
    CorruptPayloadError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_core.ports.codec import ValueForm
from sayiir_runtime.codec.json_text import read_wide, write_text

WIDE: Final = 1
"""The flag of a body that only ``read_wide`` can read."""

_END: Final = 0x0A

_OPTIONS: Final = (
    orjson.OPT_APPEND_NEWLINE
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

_CONTAINERS: Final = frozenset({list, dict, tuple})

_dumps = orjson.dumps
_loads = orjson.loads


class JsonCodec:
    """Store plain JSON values, exactly as the value model says."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return ``json``."""
        return "json"

    def encode(self, value: Any) -> tuple[int, bytes]:
        """Return the flags and the body; raises ``EncodeError`` naming the place."""
        try:
            body = _dumps(value, _refuse, _OPTIONS)
        except TypeError:
            return _write(value)
        if is_tracked(value) and not _holds_only_containers(value):
            return _write(value)
        if body.rfind(b"null") >= 0 and value is not None and not _reads_back(body, value):
            return _write(value)
        return 0, body

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value of a body; raises one of the payload errors, whatever the bytes."""
        if flags or payload[-1] != _END:
            return _decode_rare(payload, start, flags)
        try:
            return _loads(payload[start:])
        except ValueError as error:
            raise _corrupt(error) from None

    def encode_as(self, value: Any, form: ValueForm) -> tuple[int, bytes]:
        """Return the flags and the body of a value of the form's type.

        A form dumps plain data only, so no enums or UUIDs have to be looked for.
        """
        plain = form.dump(value)
        try:
            body = _dumps(plain, _refuse, _OPTIONS)
        except TypeError:
            return _write(plain)
        if body.rfind(b"null") >= 0 and plain is not None and not _reads_back(body, plain):
            return _write(plain)
        return 0, body

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        """Return the value of the form's type, read straight from the text where it can be."""
        _check(payload, flags)
        try:
            return form.load_json(payload[start:])
        except CorruptPayloadError:
            return form.load(self.decode(payload, start, flags))


def _refuse(_value: object) -> Any:
    raise TypeError


def _holds_only_containers(value: Any) -> bool:
    """Return whether all that the collector tracks in the value are lists, dicts and tuples."""
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        level = [*filter(is_tracked, value.values())]
    elif kind is list or kind is tuple:
        level = [*filter(is_tracked, value)]
    else:
        return False
    while level:
        if not _CONTAINERS.issuperset(map(type, level)):
            return False
        level = [*filter(is_tracked, get_referents(*level))]
    return True


def _reads_back(body: bytes, value: Any) -> bool:
    """Return whether each ``null`` stands for a None; also False where tuples became lists."""
    try:
        return bool(_loads(body) == value)
    except RecursionError:
        return False


def _write(value: object) -> tuple[int, bytes]:
    text, wide = write_text(value)
    return (WIDE if wide else 0), text + b"\n"


def _decode_rare(payload: bytes, start: int, flags: int) -> Any:
    _check(payload, flags)
    try:
        return read_wide(payload[start:])
    except (ValueError, RecursionError) as error:
        raise _corrupt(error) from None


def _check(payload: bytes, flags: int) -> None:
    if flags & ~WIDE:
        raise UnsupportedVersionError(
            f"the JSON payload has flags {flags:#06b}, which this release does not know: upgrade "
            f"sayiir-runtime here to the release that wrote it"
        )
    if payload[-1] != _END:
        raise TruncatedPayloadError(
            f"the JSON payload ends after {len(payload)} bytes without its end mark: it was cut "
            f"short after it was written; restore the row from a backup, or run the instance again"
        )


def _corrupt(error: Exception) -> CorruptPayloadError:
    return CorruptPayloadError(
        f"the payload is whole but its JSON cannot be read ({error}): it was damaged after it was "
        f"written; restore the row from a backup, or run the instance again"
    )
