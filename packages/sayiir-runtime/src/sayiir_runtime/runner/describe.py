"""An exception as data, though user code writes its text and its attributes."""

from __future__ import annotations

import traceback
from typing import Final

from sayiir_core.errors import EncodeError, InvalidValueError
from sayiir_core.ids import sanitize_text
from sayiir_core.snapshot.step import ErrorRecord

MAX_MESSAGE: Final = 16 * 1024
MAX_TRACEBACK: Final = 64 * 1024
"""Characters that are kept: an error stands in the header, which every load reads."""

_INTERRUPTIONS: Final = (KeyboardInterrupt, SystemExit)


def describe(path: str, error: BaseException) -> ErrorRecord:
    """Return an exception as data, with its traceback, fit for any store."""
    kind, message = type(error).__name__, _message(error)
    if isinstance(error, InvalidValueError):
        kind, _, message = message.partition(": ")
    return ErrorRecord(
        path=path,
        type=kind,
        message=_shorten(sanitize_text(message), MAX_MESSAGE),
        traceback=_shorten(sanitize_text(_traceback(error)), MAX_TRACEBACK),
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except _INTERRUPTIONS:
        raise
    except BaseException as failure:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"(its message could not be read: {type(failure).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        # What caused these two quotes the value, which may be secret; their own texts don't.
        is_quoting = isinstance(error, InvalidValueError | EncodeError)
        return "".join(traceback.format_exception(error, chain=not is_quoting))
    except _INTERRUPTIONS:
        raise
    except BaseException as failure:  # noqa: BLE001 - a user's attributes may raise anything
        frames = "".join(traceback.format_tb(error.__traceback__))
        name = type(error).__name__
        return f"{frames}{name} (it could not be formatted: {type(failure).__name__})\n"


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… ({len(text) - 2 * half} characters left out) …\n{text[-half:]}"
