"""Values that are decoded only where a task looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Lazy(Generic[T_co]):
    """What a task receives whose parameter is annotated ``Lazy[T]``: a look at a ``T``.

    It is immutable, and so is everything that it gives. With a codec that can read parts of a
    payload only those are read. With any other the whole is decoded at the first look. Returned
    by a task, it is stored as it was, without being decoded at all.
    """

    __slots__ = ("_load", "_root", "payload")

    def __init__(
        self, root: Callable[[], Any], load: Callable[[], T_co], payload: bytes | None = None
    ) -> None:
        self._root = root
        self._load = load
        self.payload = payload

    @property
    def root(self) -> Any:
        """Return the whole: a scalar as it is, anything else as a view.

        Views are mappings and sequences; their ``decode()`` gives plain data.
        """
        return self._root()

    def at(self, *path: str | int) -> Any:
        """Return a part, as ``value["orders"][-1]["id"]`` for ``at("orders", -1, "id")``.

        Raises ``KeyError``, ``IndexError`` or ``TypeError`` as that would.
        """
        part = self._root()
        for step in path:
            part = part[step]
        return part

    def load(self) -> T_co:
        """Return the whole value as the annotation says, made anew by every call.

        Raises ``InvalidValueError`` if it does not fit.
        """
        return self._load()

    def __getitem__(self, key: Any) -> Any:
        return self._root()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._root()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._root())

    def __len__(self) -> int:
        return len(self._root())

    def __repr__(self) -> str:
        return "<Lazy>" if self.payload is None else f"<Lazy: {len(self.payload)} bytes>"
