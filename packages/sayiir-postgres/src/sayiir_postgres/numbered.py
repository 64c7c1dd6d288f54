"""Long statements, with numbers for their placeholders.

The driver looks for placeholders by name at every call of a statement as long as these; here it is
done once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import psycopg

from sayiir_postgres.connections import Connection

_PLACEHOLDER: Final = re.compile(rb"%\((\w+)\)[sb]")


def execute_numbered(
    connection: Connection, statement: bytes, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Execute a statement in a transaction of its own; return its rows."""
    text, names = numbered(statement)
    cursor = psycopg.RawCursor(connection)
    return cursor.execute(text, [parameters[name] for name in names], binary=True).fetchall()


@lru_cache(maxsize=16)
def numbered(statement: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with numbered placeholders, and their names in order."""
    names: list[bytes] = []

    def number(match: re.Match[bytes]) -> bytes:
        name = match[1]
        if name not in names:
            names.append(name)
        return b"$%d" % (names.index(name) + 1)

    text = _PLACEHOLDER.sub(number, statement)
    return text, tuple(name.decode() for name in names)
