"""The plugin: this backend by its URL schemes."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.backend import Backend


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``postgresql://…`` and its short form ``postgres://…``."""
    return {"postgresql": open_url, "postgres": open_url}


def open_url(url: str) -> Backend:
    """Return a backend for a URL; raises ``PluginError`` for one that cannot be read."""
    from sayiir_postgres.backend import PostgresBackend

    try:
        return PostgresBackend(url)
    except ValueError as error:
        raise PluginError(str(error)) from error
