"""The plugin: this backend by its URL schemes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from sayiir_core.errors import PluginError
from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.backend import Backend


@hookimpl
def sayiir_backends() -> dict[str, Callable[[str], Backend]]:
    """Return the factory for ``postgresql://…`` and its short form ``postgres://…``."""
    return {"postgresql": open_url, "postgres": open_url}


def open_url(url: str) -> Backend:
    """Return a backend for a URL; raises ``PluginError`` for one that cannot be read.

    ``schema``, ``pooler`` (``true`` or ``false``), ``listen_url`` and ``call_timeout`` (``5s``) may
    stand among the parameters of the URL; all others are libpq's.
    """
    from sayiir_postgres.backend import PostgresBackend

    try:
        dsn, options = _split(url)
        return PostgresBackend(dsn, **options)
    except ValueError as error:
        raise PluginError(str(error)) from error


def _split(url: str) -> tuple[str, dict[str, Any]]:
    """Return what libpq reads, unchanged, and the arguments of the backend."""
    place, _, query = url.partition("?")
    options: dict[str, Any] = {}
    rest: list[str] = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in {"schema", "listen_url", "call_timeout"}:
            options[name] = unquote(value)
        elif name == "pooler":
            options[name] = _truth(value)
        else:
            rest.append(pair)
    return (f"{place}?{'&'.join(rest)}" if any(rest) else place), options


def _truth(value: str) -> bool:
    if value not in {"true", "false"}:
        raise ValueError("the parameter pooler of the URL must be true or false")
    return value == "true"
