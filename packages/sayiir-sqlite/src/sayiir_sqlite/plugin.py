"""The plugin: this backend by its URL scheme."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.backend import Backend


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``sqlite:///file.db``."""
    return {"sqlite": open_url}


def open_url(url: str) -> Backend:
    """Return a backend for a URL; raises ``PluginError`` for one that cannot be read."""
    from sayiir_sqlite.backend import SQLiteBackend

    try:
        return SQLiteBackend(url)
    except ValueError as error:
        raise PluginError(str(error)) from error
