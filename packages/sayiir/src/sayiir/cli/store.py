"""The option that names the store, which all commands share."""

from __future__ import annotations

import argparse
import os
from typing import Any, Final

from sayiir.cli.refusal import CommandError
from sayiir_core.errors import SayiirError
from sayiir_core.ports.backend import Backend
from sayiir_runtime.plugins import open_backend

DATABASE_VARIABLE: Final = "SAYIIR_DATABASE_URL"


def add_database(parser: Any) -> None:
    """Add ``--database`` to a parser."""
    parser.add_argument(
        "--database",
        metavar="URL",
        help=f"the store, such as sqlite:///file.db or postgresql://host/database; by default "
        f"${DATABASE_VARIABLE}, which no list of processes shows",
    )


def database_url(options: argparse.Namespace) -> str:
    """Return the URL of the store; raises ``CommandError`` if there is none."""
    url: str | None = options.database or os.environ.get(DATABASE_VARIABLE)
    if not url:
        raise CommandError(
            f"no store: give --database URL or set {DATABASE_VARIABLE}, for instance to "
            f"sqlite:///file.db or postgresql://host/database"
        )
    return url


def open_store(url: str) -> Backend:
    """Return the backend of a URL, not connected yet; raises ``CommandError``."""
    try:
        return open_backend(url)
    except (SayiirError, ValueError) as error:
        raise CommandError(str(error)) from error


def without_secrets(url: str) -> str:
    """Return what may be shown of a URL: no password, and no options, which may hold one."""
    # Not by urlsplit: a password may have any sign unescaped that libpq lets pass.
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{credentials.partition(':')[0]}{at}{place.partition('?')[0]}"
