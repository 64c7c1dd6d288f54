"""Forms: how values of an annotated type become plain data and come back.

Pydantic does the work and is optional. It is imported when the first annotation asks for more
than plain JSON values, never before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from sayiir_core.authoring.loop_result import LoopResult
from sayiir_core.errors import EncodeError, InvalidValueError
from sayiir_core.ports.codec import ValueForm
from sayiir_core.ports.view import Lazy
from sayiir_runtime.codec.annotation import is_plain
from sayiir_runtime.codec.value import MAX_DEPTH
from sayiir_runtime.codec.view import is_view, plain

_NEEDS_PYDANTIC: Final = (
    "needs pydantic 2.11 or newer: install sayiir[pydantic], or annotate a plain JSON type"
)

_MISPLACED: Final = (
    "$: LoopResult is only for the last task of a loop's body; call that task by .loop(fn), or "
    "return the plain value"
)
"""Otherwise it would be stored like any dataclass, and nobody told that no loop ran."""

Dump = Callable[[Any, ValueForm], Any]
"""Turn a model or dataclass into data by the form of its type."""


class Forms:
    """Make the form of an annotation once, and keep it."""

    def __init__(self) -> None:
        self._forms: dict[Any, ValueForm | None] = {}
        self._make: Callable[[Any], ValueForm | None] | None = None

    def of(self, annotation: Any) -> ValueForm | None:
        """Return the form, or None where the annotation asks for nothing beyond plain values.

        None as well for a type that pydantic has no schema for: its values pass as they are.
        """
        try:
            return self._forms[annotation]
        except KeyError:
            form = self._forms[annotation] = self._form(annotation)
            return form
        except TypeError:  # unhashable metadata in Annotated
            return self._form(annotation)

    def replace_instances(self, value: Any, dump: Dump | None = None) -> Any:
        """Return a copy in which models and dataclasses are dumped by their own type.

        ``dump`` does it, by default as plain data. Views become what they show. Returns the very
        same object if it holds none of these, also where it is nested too deeply.
        """
        replaced, count = self._replaced(value, 0, dump or _dump)
        return replaced if count else value

    def _replaced(self, value: Any, depth: int, dump: Dump) -> tuple[Any, int]:
        kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
        if hasattr(kind, "__pydantic_serializer__") or dataclasses.is_dataclass(kind):
            if kind is LoopResult:
                raise EncodeError(_MISPLACED)
            form = self.of(kind)
            return (value, 0) if form is None else (dump(value, form), 1)
        if kind is Lazy:
            return plain(value.root), 1
        if depth == MAX_DEPTH:
            return value, 0
        count = 0
        if kind is dict:
            fields: dict[Any, Any] = {}
            for key, item in value.items():
                fields[key], more = self._replaced(item, depth + 1, dump)
                count += more
            return fields, count
        if kind is list or kind is tuple:
            items: list[Any] = []
            for item in value:
                new, more = self._replaced(item, depth + 1, dump)
                items.append(new)
                count += more
            return (tuple(items) if kind is tuple else items), count
        return (value.decode(), 1) if is_view(value) else (value, 0)

    def _form(self, annotation: Any) -> ValueForm | None:
        if is_plain(annotation):
            return None
        if self._make is None:
            self._make = _form_maker()
        return self._make(annotation)


class UnavailableForm:
    """Stand for pydantic where it is not installed: refuse, and name what to install."""

    def __init__(self, annotation: Any) -> None:
        self.annotation: Any = annotation

    def dump(self, value: Any) -> Any:  # noqa: ARG002 - the port's signature
        """Raise ``EncodeError``."""
        raise EncodeError(f"$: storing a value as {self.annotation!r} {_NEEDS_PYDANTIC}")

    def load(self, plain: Any) -> Any:  # noqa: ARG002 - the port's signature
        """Raise ``InvalidValueError``."""
        raise InvalidValueError(f"reading a value as {self.annotation!r} {_NEEDS_PYDANTIC}")

    def dump_rich(self, value: Any) -> Any:
        """Raise ``EncodeError``."""
        return self.dump(value)

    def load_rich(self, data: Any) -> Any:
        """Raise ``InvalidValueError``."""
        return self.load(data)

    def load_json(self, text: bytes) -> Any:
        """Raise ``InvalidValueError``."""
        return self.load(text)


def _dump(value: Any, form: ValueForm) -> Any:
    return form.dump(value)


def _form_maker() -> Callable[[Any], ValueForm | None]:
    try:
        from sayiir_runtime.codec.pydantic_form import make_form
    except ImportError:
        return UnavailableForm
    return make_form
