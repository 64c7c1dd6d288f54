"""The SQL of this package: one file per statement, read once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

_SQL: Final = files("sayiir_sqlite").joinpath("sql")


class Migration(NamedTuple):
    """A numbered change of the schema; its statements belong into one transaction."""

    number: int
    statements: tuple[str, ...]


def statement(name: str) -> str:
    """Return the statement in ``sql/<name>.sql``; ``FileNotFoundError`` if there is none."""
    return _SQL.joinpath(f"{name}.sql").read_text("utf-8")


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations, in order."""
    found = sorted(it.name for it in _SQL.joinpath("migrations").iterdir())
    return tuple(
        Migration(
            int(name[:4]), tuple(_split(_SQL.joinpath("migrations", name).read_text("utf-8")))
        )
        for name in found
    )


def _split(script: str) -> Iterator[str]:
    """Yield the statements of a script in which each one ends at the end of a line."""
    lines: list[str] = []
    for line in script.splitlines():
        if line.strip() and not line.startswith("--"):
            lines.append(line)
        if lines and line.endswith(";"):
            yield "\n".join(lines)
            lines.clear()
