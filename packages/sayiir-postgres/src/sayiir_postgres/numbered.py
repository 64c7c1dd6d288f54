"""Long statements, with numbers for their placeholders.

The driver looks for placeholders by name at every call of a statement as long as these; here it is
done once. A statement may have sections, ``--[ one other`` to ``--]``, that are for some uses only;
without its marks it is a whole statement for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import psycopg

from sayiir_postgres.connections import Connection

_PLACEHOLDER: Final = re.compile(rb"%\((\w+)\)[sb]")
_SECTION: Final = re.compile(rb"--\[ ([a-z ]+)\n(.*?)--\]\n?", re.DOTALL)


def execute_numbered(
    connection: Connection,
    statement: bytes,
    parameters: Mapping[str, Any],
    uses: frozenset[str] = frozenset(),
) -> list[tuple[Any, ...]]:
    """Execute a statement in a transaction of its own; return its rows.

    Of its sections only those for one of the given uses are kept.
    """
    text, names = numbered(statement, uses)
    cursor = psycopg.RawCursor(connection)
    return cursor.execute(text, [parameters[name] for name in names], binary=True).fetchall()


@lru_cache(maxsize=16)
def numbered(statement: bytes, uses: frozenset[str] = frozenset()) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with numbered placeholders, and their names in order."""
    names: list[bytes] = []

    def keep(section: re.Match[bytes]) -> bytes:
        return section[2] if uses & set(section[1].decode().split()) else b""

    def number(match: re.Match[bytes]) -> bytes:
        name = match[1]
        if name not in names:
            names.append(name)
        return b"$%d" % (names.index(name) + 1)

    text = _PLACEHOLDER.sub(number, _SECTION.sub(keep, statement))
    return text, tuple(name.decode() for name in names)
