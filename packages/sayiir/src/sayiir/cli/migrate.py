"""``sayiir migrate``: make or update the tables of a store before workers need them."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Protocol, runtime_checkable

from sayiir.cli.refusal import EXIT_OK, CommandError
from sayiir.cli.store import add_database, database_url, open_store, without_secrets

_DESCRIPTION = """\
Make the tables of a store, or bring them up to date. Workers and clients do so themselves at their
first use; this is for stores whose processes may not. With --print nothing is connected to."""


@runtime_checkable
class Printable(Protocol):
    """A backend that can tell what it would apply."""

    def migration_script(self) -> str:
        """Return all statements that make or update the schema, for its owner to apply."""
        ...


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "migrate", help="make or update the tables of a store", description=_DESCRIPTION
    )
    add_database(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--print", action="store_true", help="print the statements (PostgreSQL)")
    what.add_argument("--apply", action="store_true", help="apply what lacks")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or apply; return the exit code. Raises ``BackendError`` of a store that refuses."""
    url = database_url(options)
    backend = open_store(url)
    try:
        if options.apply:
            backend.open()
            sys.stdout.write(f"{without_secrets(url)} is up to date\n")
        elif isinstance(backend, Printable):
            sys.stdout.write(backend.migration_script())
        else:
            raise CommandError(
                f"{without_secrets(url)} has nothing to print: its tables are made by --apply, or "
                f"by the first process that uses it"
            )
    finally:
        backend.close()
    return EXIT_OK
