"""The channel of a schema: what is said on it, and connections that say and hear it.

It has the name of the schema. A **hint** is the token of its sender and the kinds of hint, a
**proof** that token with a number: the sender looks whether it comes back, and nobody else minds it.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Set as AbstractSet
from typing import Final

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.address import Address
from sayiir_postgres.connections import Connection
from sayiir_postgres.errors import backend_error
from sayiir_postgres.statements import Statements

_PROOF: Final = "?"
_KINDS: Final = ":"
_EVERY_KIND: Final = frozenset(HintKind)
_WITHDRAWALS: Final = 10


class Channel:
    """A channel at one address."""

    def __init__(self, address: Address, statements: Statements) -> None:
        self.address = address
        self.statements = statements

    def connect(self, purpose: str) -> Connection:
        """Open a connection that the server lists under its purpose."""
        return self.address.connect(purpose)

    def error(self, error: BaseException) -> str:
        """Return what happened and the remedy, without any secret."""
        return str(backend_error(error, server=str(self.address), secrets=self.address.secrets))


class Speaker:
    """Say things, on a connection that is opened when the first one is said; for one thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._connection: Connection | None = None
        self._kept: dict[str, bytes] = {}

    def say(self, payload: str, *, often: bool = False) -> None:
        """Say something, and wait until the server has taken it; raises ``psycopg.Error``."""
        if self._connection is None:
            self._connection = self._channel.connect("notifier")
        text = self._kept.get(payload) or self._text(self._connection, payload)
        if often:
            self._kept[payload] = text
        # Below the driver's cursors, which take twice as much of a busy process's time.
        pgconn = self._connection.pgconn
        pgconn.send_query(text)
        result = self._connection.wait(generators.execute(pgconn))[-1]
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)

    def close(self) -> None:
        """Close the connection; ``say`` opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _text(self, connection: Connection, payload: str) -> bytes:
        template = self._channel.statements["notify"]
        said = psycopg.ClientCursor(connection).mogrify(template, {"payload": payload})
        return said.encode(connection.info.encoding)


class Ear:
    """Hear what is said, on a connection that does nothing else; for one thread.

    ``bell`` is a socket that ends the waiting as soon as it can be read. Everything raises
    ``psycopg.Error`` when the connection breaks.
    """

    def __init__(self, channel: Channel, bell: socket.socket) -> None:
        self._statements = channel.statements
        self._connection = channel.connect("listener")
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell, selectors.EVENT_READ)
        self._selector.register(self._connection.pgconn.socket, selectors.EVENT_READ)
        self._server_process = 0

    def listen(self) -> None:
        """Begin to listen; that this succeeds does not prove that anything will be heard."""
        self._server_process = self._execute("listen")

    def withdraw(self) -> None:
        """Take the LISTEN back from the server's connection where a pooler has left it.

        There it would disturb whoever is served by that connection next. A pooler mostly gives the
        one that it used last, so a few attempts find it.
        """
        for _ in range(_WITHDRAWALS):
            if self._execute("unlisten") == self._server_process:
                return

    def hear(self, seconds: float) -> list[str]:
        """Return what was said, after waiting for it up to some seconds."""
        self._selector.select(seconds)
        pgconn = self._connection.pgconn
        pgconn.consume_input()
        heard: list[str] = []
        while (notification := pgconn.notifies()) is not None:
            heard.append(notification.extra.decode("ascii", "replace"))
        return heard

    def close(self) -> None:
        """Close the connection."""
        self._selector.close()
        self._connection.close()

    def _execute(self, name: str) -> int:
        """Execute a statement; return the server process that did."""
        with self._connection.transaction():
            self._connection.execute(self._statements[name])
            row = self._connection.execute(self._statements["server_process"]).fetchone()
        assert row is not None
        return int(row[0])


def fresh_token() -> str:
    """Return what tells one sender from all others."""
    return os.urandom(8).hex()


def proof(token: str, number: int) -> str:
    """Return a payload that its sender knows again and nobody else minds."""
    return f"{token}{_PROOF}{number}"


def hint_text(token: str, kinds: AbstractSet[HintKind]) -> str:
    """Return the payload of a hint."""
    return f"{token}{_KINDS}{' '.join(sorted(kinds))}"


def hinted_by_others(payload: str, token: str) -> AbstractSet[HintKind]:
    """Return at which kinds a payload hints, if another sender than this one gave it.

    One that names none, as anybody may send by hand, is a hint of every kind.
    """
    sender, _, words = payload.partition(_KINDS)
    if _PROOF in payload or sender == token:
        return frozenset()
    return _EVERY_KIND.intersection(words.split()) or _EVERY_KIND
