"""Unpack MessagePack whose extensions hold containers, level by level.

How this works: the hook of the unpacker only notes a tuple, a set or a dict of pairs, and leaves a
*slot* where it stands. When the call is over, the notes are unpacked one after the other, and may
note further ones. So no call runs inside another, however deep the bytes claim to be. At
the end the slots are filled, the innermost first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from sayiir_runtime.codec import extension
from sayiir_runtime.codec.value import MAX_DEPTH


class _Slot:
    """A container that stands in another one; ``depth`` counts the extensions around it."""

    __slots__ = ("code", "data", "depth", "value")

    def __init__(self, code: int, data: bytes, depth: int) -> None:
        self.code = code
        self.data = data
        self.depth = depth
        self.value: Any = None


class Unpacking:
    """One unpacking; ``unknown`` is the code of an extension that nobody knows, if it met one."""

    __slots__ = ("_depth", "_slots", "_unpackb", "unknown")

    def __init__(self, unpackb: Callable[..., Any]) -> None:
        self._unpackb = unpackb
        self._slots: list[_Slot] = []
        self._depth = 0
        self.unknown: int | None = None

    def value(self, data: bytes) -> Any:
        """Return the value; raises what the unpacker does, and ``ValueError`` or ``TypeError``."""
        value = self._unpackb(data, ext_hook=self._note)
        if not self._slots:
            return value
        slots, position = self._slots, 0
        while position < len(slots):
            slot = slots[position]
            if slot.depth >= MAX_DEPTH:
                raise ValueError("nested too deeply")
            self._depth = slot.depth + 1
            slot.value, slot.data = self._unpackb(slot.data, ext_hook=self._note), b""
            position += 1
        for slot in reversed(slots):
            slot.value = _container(slot.code, _filled(slot.value))
        return _filled(value)

    def _note(self, code: int, data: Any) -> Any:
        if code not in extension.CONTAINERS:
            try:
                return extension.unpack_scalar(code, bytes(data))
            except LookupError:
                # Kept aside: the unpacker does not tell what its hook raised.
                self.unknown = code
                raise
        slot = _Slot(code, bytes(data), self._depth)
        self._slots.append(slot)
        return slot


def _container(code: int, items: Any) -> Any:
    if type(items) not in _LISTS:
        raise ValueError("a container that is no array")
    match code:
        case extension.TUPLE:
            return tuple(items)
        case extension.SET:
            return set(_checked(items))
        case extension.FROZENSET:
            return frozenset(_checked(items))
        case _:
            if len(items) % 2:
                raise ValueError("a key without its value")
            return dict(zip(_checked(items[::2]), items[1::2], strict=True))


def _checked(keys: list[Any]) -> list[Any]:
    """Refuse many keys of one hash: each would be compared with all before it."""
    if len(keys) > _MANY:
        alike = Counter(map(hash, keys)).values()
        if sum(count * count for count in alike) > _MANY * len(keys):
            raise ValueError("keys that were made to collide")
    return keys


_MANY: Final = 1000
_MOST_LEVELS: Final = 1024
_LISTS: Final = frozenset({list})
_NESTING: Final = frozenset({list, dict})


def _filled(value: Any) -> Any:
    """Put what slots hold where they stand, and return the value."""
    if type(value) is _Slot:
        return value.value
    level = [value] if type(value) in _NESTING else []
    depth = 0
    while level:
        depth += 1
        if depth > _MOST_LEVELS:
            raise ValueError("nested too deeply")
        deeper: list[Any] = []
        for container in level:
            for key, item in _places(container):
                if type(item) is _Slot:
                    container[key] = item.value
                elif type(item) in _NESTING:
                    deeper.append(item)
        level = deeper
    return value


def _places(container: Any) -> Iterable[tuple[Any, Any]]:
    if type(container) in _LISTS:
        numbered: enumerate[Any] = enumerate(container)
        return numbered
    items: Iterable[tuple[Any, Any]] = container.items()
    return items
