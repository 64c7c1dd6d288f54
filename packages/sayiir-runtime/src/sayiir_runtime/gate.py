"""What callers hand in, checked before anything is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar

from sayiir_core.authoring import Workflow
from sayiir_core.ids import check_name
from sayiir_core.ports.backend import Backend, Capabilities

In = TypeVar("In")
Out = TypeVar("Out")

MAX_LABELS: Final = 64
MAX_LABEL_BYTES: Final = 1024


def built_workflow(workflow: Workflow[In, Out]) -> Workflow[In, Out]:
    """Return a workflow; raises ``TypeError`` for anything else, such as a flow."""
    if not isinstance(workflow, Workflow):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"workflow must be what Flow(...).build() returns, not {type(workflow).__name__}"
        )
    return workflow


def checked_backend(backend: Backend) -> Backend:
    """Return a backend; raises ``TypeError`` for anything else, such as a URL."""
    if not isinstance(getattr(backend, "capabilities", None), Capabilities):
        raise TypeError(
            f"backend must be a Sayiir backend such as SQLiteBackend(...), not "
            f"{type(backend).__name__}; open one with open_backend(url)"
        )
    return backend


def checked_labels(labels: Mapping[str, str] | None, whose: str) -> dict[str, str]:
    """Return a copy of labels: up to 64, names of 1 to 256 bytes, values of up to 1,024.

    Raises ``TypeError`` for what are no strings and ``ValueError`` for sizes, naming ``whose``.
    """
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"labels of {whose} must be a dict, not {type(labels).__name__}")
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{whose} has {len(labels)} labels, and may have {MAX_LABELS}")
    for name, value in labels.items():
        check_name(name, f"label name of {whose}")
        _check_label_value(value, f"label {name!r} of {whose}")
    return dict(labels)


def _check_label_value(value: object, which: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{which} must be a string, not {type(value).__name__}")
    if not value:
        return
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{which} has a lone surrogate, which UTF-8 lacks") from None
    if size > MAX_LABEL_BYTES:
        raise ValueError(f"{which} has {size} bytes of UTF-8, and may have {MAX_LABEL_BYTES}")
    if "\0" in value:
        raise ValueError(f"{which} has a NUL character, which stores refuse")


def checked_instant(instant: datetime | None, what: str) -> datetime | None:
    """Return an instant that has a time zone; raises ``TypeError`` or ``ValueError``."""
    if instant is None:
        return None
    if not isinstance(instant, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{what} must be a datetime, not {type(instant).__name__}")
    if instant.utcoffset() is None:
        raise ValueError(f"{what} needs a time zone, as in datetime.now(UTC): {instant!r}")
    return instant
