"""Forms by pydantic: the only module that imports it.

Dumped is by field name, and read is by field name or alias, so that any mix of validation and
serialization aliases comes back. Computed fields are left out, because a model that forbids
extra fields would refuse its own dump.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NewType

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.version import VERSION
from pydantic_core import SchemaError, to_json

from sayiir_core.errors import CorruptPayloadError, EncodeError, InvalidValueError
from sayiir_runtime.codec.annotation import UNRESOLVABLE
from sayiir_runtime.codec.rich_data import rich_data

_OLDEST: Final = (2, 11)
_MAX_PROBLEMS: Final = 10
_MAX_REASON: Final = 300
_QUOTE: Final = "input_value="
_AFTER_QUOTE: Final = ", input_type="

if tuple(int(part) for part in VERSION.split(".")[:2]) < _OLDEST:
    raise ImportError(f"pydantic {VERSION} cannot read by field name; 2.11 or newer is needed")

_CONFIG: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", allow_inf_nan=True)
"""For values that stand outside of models and dataclasses, which have a config of their own."""


class PydanticForm:
    """Convert values of one annotation."""

    __slots__ = ("_serializer", "_validator", "annotation")

    def __init__(self, annotation: Any, adapter: TypeAdapter[Any]) -> None:
        self.annotation: Any = annotation
        self._serializer = adapter.serializer
        self._validator = adapter.validator

    def dump(self, value: Any) -> Any:
        """Return plain data; raises ``EncodeError`` for a value of another type."""
        try:
            return self._serializer.to_python(
                value, mode="json", by_alias=False, round_trip=True, warnings="error"
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise EncodeError(self._refusal(value, error)) from error

    def load(self, plain: Any) -> Any:
        """Return the value; raises ``InvalidValueError``."""
        try:
            return self._validator.validate_python(plain, by_alias=True, by_name=True)
        except ValidationError as error:
            raise InvalidValueError(_problem(error)) from error

    def dump_rich(self, value: Any) -> Any:
        """Return rich data; raises ``EncodeError`` for a value of another type."""
        try:
            return rich_data(
                self._serializer.to_python(
                    value, mode="python", by_alias=False, round_trip=True, warnings="error"
                )
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise EncodeError(self._refusal(value, error)) from error

    def load_rich(self, data: Any) -> Any:
        """Return the value; raises ``InvalidValueError``."""
        try:
            return self._validator.validate_python(data, by_alias=True, by_name=True)
        except ValidationError as error:
            return self._load_strictly(data, error)

    def _load_strictly(self, data: Any, error: ValidationError) -> Any:
        """Read what a strict model refuses as Python data, such as the value of an Enum member.

        As JSON it takes them. Bytes would have to be told from text there, so data that hold
        some are left alone.
        """
        try:
            text = to_json(data, bytes_mode="hex")
            if text == to_json(data, bytes_mode="base64"):
                return self._validator.validate_json(text, by_alias=True, by_name=True)
        except (ValidationError, ValueError, TypeError, RecursionError):
            pass
        raise InvalidValueError(_problem(error)) from error

    def load_json(self, text: bytes) -> Any:
        """Return the value; raises ``InvalidValueError`` and ``CorruptPayloadError``."""
        try:
            return self._validator.validate_json(text, by_alias=True, by_name=True)
        except ValidationError as error:
            if _is_unreadable(error):
                raise CorruptPayloadError(str(error)) from None
            raise InvalidValueError(_problem(error)) from error

    def _refusal(self, value: Any, error: Exception) -> str:
        remedy = ""
        if isinstance(error, UnicodeDecodeError):
            remedy = (
                "; let its model_config (a dataclass: __pydantic_config__) have "
                "ser_json_bytes='base64' and val_json_bytes='base64'"
            )
        return (
            f"$: {type(value).__qualname__} cannot be stored as {self.annotation!r}: "
            f"{_without_values(str(error))[:_MAX_REASON]}{remedy}"
        )


def make_form(annotation: Any) -> PydanticForm | None:
    """Return the form of an annotation, or None if pydantic has no schema for it."""
    try:
        adapter = _adapter(annotation)
        if not adapter.pydantic_complete:
            adapter.rebuild()
    except (PydanticUserError, PydanticUndefinedAnnotation, SchemaError, *UNRESOLVABLE):
        return None
    return PydanticForm(annotation, adapter)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    if sys.version_info < (3, 12):
        from sayiir_runtime.codec.typed_dict import with_known_typed_dicts

        annotation = with_known_typed_dicts(annotation)
    try:
        return TypeAdapter(annotation, config=_CONFIG)
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
    # For a class that may bring a config of its own, one is taken only under another name.
    return TypeAdapter(
        _renamed(getattr(annotation, "__name__", "value"), annotation), config=_CONFIG
    )


_renamed: Final[Callable[[str, Any], Any]] = NewType


def _without_values(text: str) -> str:
    """Return the text of a refusal without the values that it quotes, which may be secret."""
    first, *quoting = text.split(_QUOTE)
    # A value may look like the end of its quotation: the last one counts.
    return first + "".join(
        part[part.rfind(_AFTER_QUOTE) + len(_AFTER_QUOTE) :] if _AFTER_QUOTE in part else ""
        for part in quoting
    )


def _is_unreadable(error: ValidationError) -> bool:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return first["type"] == "json_invalid" and not first["loc"]


def _message(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "union_tag_invalid":
        # Its text quotes the tag that was found.
        context = problem["ctx"]
        return f"the tag by {context['discriminator']} is none of {context['expected_tags']}"
    return str(problem["msg"])


def _problem(error: ValidationError) -> str:
    """Return all that does not fit in one line, without the values, which may be secret."""
    found = error.errors(include_url=False, include_input=False)
    listed = [
        f"{'.'.join(map(str, each['loc']))}: {_message(each)}" if each["loc"] else _message(each)
        for each in found[:_MAX_PROBLEMS]
    ]
    if len(found) > _MAX_PROBLEMS:
        listed.append(f"and {len(found) - _MAX_PROBLEMS} more")
    return f"{error.title} cannot be read: {'; '.join(listed)}"
