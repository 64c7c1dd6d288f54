"""Where the database is: a path, or a URL that names one."""

from __future__ import annotations

import os
from typing import Final

_SCHEME: Final = "sqlite:"
_FORM: Final = "write sqlite:///relative.db or sqlite:////absolute/path.db"
_IN_MEMORY: Final = (
    "SQLite in memory dies with its connection and cannot be durable; use InMemoryBackend() "
    "(memory://), or give the path of a file"
)


def resolve_path(location: str | os.PathLike[str]) -> str:
    """Return the absolute path, without symbolic links, that a path or a URL names.

    Links are followed, because SQLite puts its own files beside the file that is meant. Raises
    ``TypeError`` for another type, and ``ValueError`` for a URL that cannot be read and for a
    database in memory.
    """
    if not isinstance(location, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a SQLite backend needs the path of a file, not {type(location).__name__}")
    path = os.fspath(location)
    if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("the path of a SQLite file must be text, not bytes")
    if path.startswith(_SCHEME):
        path = _path_in(path)
    if path in {"", ":memory:"}:
        raise ValueError(_IN_MEMORY)
    if "\0" in path:
        raise ValueError(f"the path {path!r} has a NUL character")
    return os.path.realpath(path)


def _path_in(url: str) -> str:
    rest = url[len(_SCHEME) :]
    if rest in {"", "//", "///"}:
        raise ValueError(_IN_MEMORY)
    if not rest.startswith("///"):
        raise ValueError(f"{url!r} is no SQLite URL; {_FORM}")
    if "?" in rest or "#" in rest:
        raise ValueError(
            f"{url!r} has options, which a SQLite URL cannot carry; {_FORM} (%3F and %23 stand "
            f"for a question mark and a hash in a name), and pass options to SQLiteBackend()"
        )
    # Costs more than the rest of this package to import, and most locations are paths.
    from urllib.parse import unquote

    return unquote(rest[3:])
