"""Unpack containers in extensions level by level, however deep they stand inside each other.

How this works: a call inside a call for each of them would copy the innermost bytes once per level,
all at the same time, and add up C stack. So the hook only notes a container and leaves a *slot*
where it stands. The notes are unpacked one after the other, and may note further ones; then the
slots are filled, the innermost first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import ormsgpack

from sayiir_core.errors import CorruptPayloadError

_LISTS: Final = frozenset({list})
_NESTING: Final = frozenset({list, dict})


class _Slot:
    """A container that stands in another one, packed and then unpacked."""

    __slots__ = ("code", "data", "value")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data
        self.value: Any = None


def unpack_levels(
    packed: bytes,
    scalar: Callable[[int, bytes], Any],
    build: Mapping[int, Callable[[list[Any]], Any]],
) -> Any:
    """Return the value of what the library packed; ``build`` makes containers by their code.

    Raises ``CorruptPayloadError``, and what ``scalar`` raises for an extension that is damaged.
    """
    slots: list[_Slot] = []
    problems: list[BaseException] = []

    def note(code: int, data: bytes) -> Any:
        if code in build:
            slots.append(_Slot(code, data))
            return slots[-1]
        try:
            return scalar(code, data)
        except BaseException as error:
            # The unpacker loses it.
            problems.append(error)
            raise

    try:
        value = ormsgpack.unpackb(packed, ext_hook=note)
        # It grows meanwhile.
        for slot in slots:
            slot.value, slot.data = ormsgpack.unpackb(slot.data, ext_hook=note), b""
    except ValueError as error:
        raise (problems or [error])[0] from None
    try:
        for slot in reversed(slots):
            slot.value = build[slot.code](_filled(slot.value))
    except TypeError as error:
        raise unhashable(error) from None
    return _filled(value)


def unhashable(error: BaseException) -> CorruptPayloadError:
    """Return the error for a set, or a dict, of what cannot be hashed."""
    return CorruptPayloadError(
        f"the rkyv payload holds a set or a dict of what cannot be hashed ({error}); restore the "
        f"row from a backup, or run the instance again"
    )


def _filled(value: Any) -> Any:
    """Put what slots hold where they stand, and return the value."""
    if type(value) is _Slot:
        return value.value
    todo = [value] if type(value) in _NESTING else []
    while todo:
        container = todo.pop()
        for key, item in _places(container):
            if type(item) is _Slot:
                container[key] = item.value
            elif type(item) in _NESTING:
                todo.append(item)
    return value


def _places(container: Any) -> Iterable[tuple[Any, Any]]:
    if type(container) in _LISTS:
        numbered: enumerate[Any] = enumerate(container)
        return numbered
    items: Iterable[tuple[Any, Any]] = container.items()
    return items
