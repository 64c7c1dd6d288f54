"""Names: what may be a part of a path, and the numbers of what nobody named."""

from __future__ import annotations

from typing import Final

from sayiir_core.errors import DefinitionError
from sayiir_core.ids import check_name

MAX_LEVELS: Final = 200
MAX_PATH_BYTES: Final = 1024
MAX_PATH_BYTES_PER_LEVEL: Final = 32

LAMBDA: Final = "<lambda>"

KEY: Final = "key"
"""The id of every route's key function."""

DEFAULT: Final = "default"
"""The name of a route's default arm."""


def check_segment(name: object, what: str) -> str:
    """Return a name that can be a part of a path; ``DefinitionError`` for any other."""
    if not isinstance(name, str):
        raise DefinitionError(f"{what} must be a text, not {name!r:.100}")
    try:
        check_name(name, what)
    except ValueError as error:
        raise DefinitionError(f"{error}; give another one by name=") from error
    if "/" in name:
        raise DefinitionError(
            f"{what} {name!r} has a slash, which separates the parts of a path; give another one "
            f"by name="
        )
    return name


def max_path_bytes(levels: int) -> int:
    """Return how long a path may be.

    1 KiB; below many levels more, so that the generated names of 200 levels always fit.
    """
    return max(MAX_PATH_BYTES, levels * MAX_PATH_BYTES_PER_LEVEL)


class Numbering:
    """Count what nobody named, separately for each kind: ``lambda_0``, ``fork_0``, ``lambda_1``."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def name(self, kind: str) -> str:
        """Return the next name of a kind."""
        number = self._next.get(kind, 0)
        self._next[kind] = number + 1
        return f"{kind}_{number}"
