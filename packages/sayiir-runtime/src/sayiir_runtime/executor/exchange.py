"""What crosses between a process and its children: pickled frames, each behind a letter.

Nothing of it is stored, and both ends are the same program of the same user, so pickle is right here: a
value arrives as what it was, whatever codec the task has, and no key of an encryption leaves the parent.
An exception arrives with its class, which retry policies ask for, and with the text of its traceback.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterable
from typing import Any, Final, cast

from sayiir_core.errors import EncodeError
from sayiir_core.ports.executor import Body

VALUE: Final = b"v"
ERROR: Final = b"e"
RECORD: Final = b"r"
"""What a frame of a child holds: what the body returned or raised, or a line of its log."""


class RemoteTracebackError(Exception):
    """Show, as the cause of an exception, where it was raised in the other process."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def pack_body(body: Body) -> bytes:
    """Return a body as bytes; raises ``EncodeError`` if its input cannot be pickled."""
    try:
        return pickle.dumps(body, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise EncodeError(
            f"the input of task {body.path!r} cannot be sent to its process: {error}"
        ) from error


def pack_value(value: Any, path: str) -> tuple[bytes, bytes]:
    """Return what a body has returned as a frame, or the error that it cannot be sent."""
    try:
        return VALUE, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - pickling calls user code
        return pack_error(
            EncodeError(
                f"what task {path!r} returned, of type {type(value).__name__}, cannot be sent from "
                f"its process: {error}"
            )
        )


def pack_error(error: BaseException) -> tuple[bytes, bytes]:
    """Return what a body has raised as a frame, with its ancestry in case that it cannot be sent."""
    names = [(cls.__module__, cls.__qualname__) for cls in type(error).__mro__]
    whole: bytes | None = None
    try:
        whole = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        pickle.loads(whole)  # noqa: S301 - many can be pickled, and not be loaded again
    except Exception:  # noqa: BLE001 - pickling calls user code
        whole = None
    return ERROR, pickle.dumps((whole, names, _text(error), _trace(error)))


def unpack_value(payload: bytes, path: str) -> Any:
    """Return the value of a frame; raises ``EncodeError`` if it cannot be read here."""
    try:
        return pickle.loads(payload)  # noqa: S301 - of our own child
    except Exception as error:
        raise EncodeError(
            f"what task {path!r} returned in its process cannot be read here: {error}"
        ) from error


def unpack_error(payload: bytes) -> BaseException:
    """Return the exception of a frame, or a stand-in of the same name, text and ancestry."""
    whole, names, text, trace = pickle.loads(payload)  # noqa: S301 - of our own child
    error: BaseException | None = None
    if whole is not None:
        try:
            error = pickle.loads(whole)  # noqa: S301
        except Exception:  # noqa: BLE001 - its module may be known to the child alone
            error = None
    if error is None:
        error = _stand_in(names)(text)
    error.__cause__ = RemoteTracebackError(trace)
    return error


def _stand_in(names: Iterable[tuple[str, str]]) -> type[Exception]:
    """Return a class that is called like another one, as are its ancestors."""
    stand_in: type[Exception] = Exception
    for module, name in reversed(list(names)):
        if module != "builtins":
            names_of = {"__module__": module, "__qualname__": name}
            stand_in = cast("type[Exception]", type(name, (stand_in,), names_of))
    return stand_in


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"(its message could not be read: {type(failure).__name__})"


def _trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - a user's attributes may raise anything
        return "".join(traceback.format_tb(error.__traceback__))
