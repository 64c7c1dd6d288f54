"""The SQL of this adapter: one statement per file, rendered once for a schema.

A file may name ``{schema}`` and the fragments ``{now}``, ``{run_columns}``, ``{header_columns}``,
``{cursor_columns}``, ``{step_columns}``, ``{record_columns}`` and ``{session_columns}``; everything
else is a bound parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from psycopg import sql

_FOLDER: Final = resources.files("sayiir_postgres") / "sql"


class Statements:
    """Every statement by its name, which is that of its file."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = dict(texts)

    @classmethod
    def load(cls, schema: str) -> Statements:
        """Read and render all statements."""
        place = {"schema": sql.Identifier(schema)}
        parts: dict[str, sql.Composable] = {
            name: _sql(text).format(**place) for name, text in _files(_FOLDER / "fragments")
        }
        parts |= place
        return cls({name: _render(text, parts) for name, text in _files(_FOLDER)})

    def __getitem__(self, name: str) -> bytes:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def replaced(self, **texts: bytes) -> Statements:
        """Return a copy with other texts under some names; ``KeyError`` for an unknown name."""
        for name in texts:
            self._texts[name]
        return Statements({**self._texts, **texts})


def migrations(schema: str) -> list[tuple[int, str, bytes]]:
    """Return number, name and text of every migration, in order."""
    parts: dict[str, sql.Composable] = {"schema": sql.Identifier(schema)}
    found = sorted(_files(_FOLDER / "migrations"))
    return [(int(name[:4]), name, _render(text, parts)) for name, text in found]


def _files(folder: Traversable) -> Iterator[tuple[str, str]]:
    for file in folder.iterdir():
        name, _, suffix = file.name.partition(".")
        if suffix == "sql":
            yield name, file.read_text("utf-8").strip()


def _sql(text: str) -> sql.SQL:
    # Shipped with the package, hence as trustworthy as a literal in a module.
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]


def _render(text: str, parts: Mapping[str, sql.Composable]) -> bytes:
    return _sql(text).format(**parts).as_bytes(None)
