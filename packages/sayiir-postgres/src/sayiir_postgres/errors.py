"""From the driver's errors to ours, in one table."""

from __future__ import annotations

import struct
from typing import Final

import psycopg
from psycopg import errors as driver

from sayiir_core.errors import BackendError

CONFLICTS: Final = (driver.SerializationFailure, driver.DeadlockDetected)
"""The server took this transaction back in favour of another one: repeat it."""

BAD_ROWS: Final = (psycopg.DataError, psycopg.IntegrityError, driver.ProgramLimitExceeded)
"""The server refuses what was sent, and would refuse it again."""

BAD_VALUES: Final = (UnicodeEncodeError, OverflowError, struct.error)
"""A value has no form in which it could be sent."""


class CallTimeoutError(psycopg.OperationalError):
    """Report a server that gave no sign of life for so many seconds; the connection is closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the server has been silent for {seconds:g} s (call_timeout)")


class AnswerLostError(Exception):
    """Report a connection that broke after the commit was sent: the effect is unknown."""


# By the start of the SQLSTATE, the longest first: whether trying again may help, and the remedy.
_TABLE: Final[tuple[tuple[str, bool, str], ...]] = (
    ("28", False, "check the user, its password, and the server's pg_hba.conf"),
    ("3D000", False, "create the database first"),
    ("42501", False, "grant this user the rights, or let its owner apply migration_script()"),
    ("42P01", False, "the tables of this schema are gone; open a fresh backend to make them"),
    ("3F000", False, "the schema is gone; open a fresh backend to make it"),
    ("26", False, "behind a pooler in transaction mode, pass pooler=True"),
    ("42P05", False, "behind a pooler in transaction mode, pass pooler=True"),
    ("25006", True, "the server takes no writes; use the address of the primary"),
    ("53100", True, "free space on the server's disk"),
    ("53300", True, "raise the server's max_connections, or lower max_connections here"),
    ("53", True, "the server lacks resources; see its log"),
    ("54", False, "what was sent is larger than the server can take"),
    ("57014", True, "the server's statement_timeout struck; raise it"),
    ("57P", True, "the server is shutting down or starting; try again"),
    ("55P03", True, "another transaction holds the lock; try again"),
    ("25P03", True, "this process paused in the middle of a write; try again"),
    ("40", True, "many writers conflict; try again"),
    ("08", True, "check the network between here and the server"),
    ("22", False, "the server refuses this value"),
    ("23", False, "the server refuses this row"),
)
_UNREACHABLE: Final = "check that the server runs and can be reached"
_REFUSED: Final = "check the database, the user, its password, and the server's pg_hba.conf"
_PASSING: Final = ("starting up", "shutting down", "recovery", "too many", "connection slots")


def is_connection_lost(error: psycopg.Error, connection_usable: bool) -> bool:
    """Tell whether an error came from the connection and not from a statement."""
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (
        not connection_usable
    )


def backend_error(error: BaseException, *, server: str, secrets: tuple[str, ...]) -> BackendError:
    """Return ours for a driver's error; the text names the server and never a password."""
    state = getattr(error, "sqlstate", None)
    transient, remedy = _look_up(state, error)
    text = " ".join(str(error).split())
    for secret in secrets:
        text = text.replace(secret, "***")
    kind = f" [{state}]" if state else ""
    return BackendError(f"PostgreSQL at {server}{kind}: {text}; {remedy}", transient=transient)


def answer_lost(server: str) -> BackendError:
    """Return the error for a write that cannot be repeated and may or may not be stored."""
    return BackendError(
        f"PostgreSQL at {server}: the connection broke while a write was being stored, so it may "
        f"or may not be; look before doing it again",
        transient=True,
    )


def _look_up(state: str | None, error: BaseException) -> tuple[bool, str]:
    if state is None:
        return _look_up_by_text(str(error))
    for prefix, transient, remedy in _TABLE:
        if state.startswith(prefix):
            return transient, remedy
    return False, "this is not expected; please report it with this text"


def _look_up_by_text(text: str) -> tuple[bool, str]:
    """Judge a failure to connect, whose SQLSTATE the driver does not get to know."""
    if "FATAL:" in text and not any(phrase in text for phrase in _PASSING):
        return False, _REFUSED
    return True, _UNREACHABLE
