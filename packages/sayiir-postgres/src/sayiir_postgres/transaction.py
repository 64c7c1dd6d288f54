"""Transactions in as few round trips as their decisions allow.

Statements are sent without waiting for the answers of those before; reading the rows of one waits
for that one. So the locks of a transaction cost one round trip and its writes another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final, Literal

import psycopg

from sayiir_postgres.connections import Connection, is_usable
from sayiir_postgres.errors import AnswerLostError, is_connection_lost
from sayiir_postgres.statements import Statements

Row = tuple[Any, ...]

_BEGIN: Final[dict[str, bytes]] = {
    "write": b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    "read": b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}


class Pending:
    """A statement that was sent; its rows are waited for when they are asked for."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: psycopg.Cursor[Row]) -> None:
        self._cursor = cursor

    def rows(self) -> list[Row]:
        """Wait for the rows."""
        return self._cursor.fetchall()


class Transaction:
    """One open transaction (or a lone statement), by the names of its statements.

    ``claimable_from`` is the earliest instant from which pools may claim something that it wrote,
    None if there is nothing; ``may_end`` says whether it may have brought a run to its end.
    """

    __slots__ = ("_callbacks", "_connection", "_statements", "claimable_from", "may_end")

    def __init__(self, connection: Connection, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements
        self._callbacks: list[Callable[[], None]] = []
        self.claimable_from: datetime | None = None
        self.may_end = False

    def send(self, name: str, parameters: Mapping[str, Any]) -> Pending:
        """Send a statement; its failure may show only when a later answer is read."""
        cursor = self._connection.cursor(binary=True)
        return Pending(cursor.execute(self._statements[name], parameters))

    def note_claimable(self, start: datetime) -> None:
        """Note that pools may claim something from an instant on."""
        if self.claimable_from is None or start < self.claimable_from:
            self.claimable_from = start

    def note_end(self) -> None:
        """Note that a run may have come to its end."""
        self.may_end = True

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction is committed."""
        self._callbacks.append(callback)

    def committed(self) -> None:
        """Tell those who asked."""
        for callback in self._callbacks:
            callback()


@contextmanager
def transaction(
    connection: Connection, statements: Statements, mode: Literal["write", "read"] = "write"
) -> Generator[Transaction]:
    """Open a transaction, commit it at the end of the block, take it back on any exception.

    Raises ``AnswerLostError`` if the connection breaks after the commit was sent.
    """
    committing = False
    opened = Transaction(connection, statements)
    try:
        with _pipeline(connection):
            connection.execute(_BEGIN[mode])
            yield opened
            committing = True
            connection.execute(b"COMMIT")
        opened.committed()
    except psycopg.Error as error:
        _take_back(connection)
        if committing and is_connection_lost(error, is_usable(connection)):
            raise AnswerLostError from error
        raise
    except BaseException:
        _take_back(connection)
        raise


@contextmanager
def _pipeline(connection: Connection) -> Generator[None]:
    """Send without waiting; without libpq 14, which brought it, every statement is a round trip."""
    if not psycopg.Pipeline.is_supported():
        yield
        return
    with connection.pipeline() as pipeline:
        try:
            yield
        except psycopg.Error:
            # Read the rest here, or the driver would log that it could not.
            with suppress(psycopg.Error):
                pipeline.sync()
            raise


def _take_back(connection: Connection) -> None:
    if not connection.closed and not is_usable(connection):
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
