"""The functions that the suite of executors has run.

They stand apart from the suite, so that a fresh process need not load all test tools to call one.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sayiir_core.authoring import get_task_context
from sayiir_runtime.logs import correlation

BEAT_SECONDS: Final = 0.01
PATIENCE: Final = 30.0
"""Seconds after which what a body waits for has not happened."""


@dataclass(frozen=True)
class Order:
    """A value of a class of an application."""

    number: int
    items: tuple[str, ...]


class MisfortuneError(Exception):
    """An exception of an application: a fact beside its text, and an ancestor to be caught by."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text, code)
        self.code = code


class UnmovableError(MisfortuneError):
    """An exception that can be made by two arguments alone, and holds what cannot be sent."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text, code)
        self.lock = threading.Lock()


def same(value: Any) -> Any:
    """Return the value."""
    return value


def nothing_given() -> str:
    """Return a text, without being given anything."""
    return "nothing given"


async def later(value: Any) -> Any:
    """Return the value after a turn of the event loop."""
    await asyncio.sleep(0)
    return value


def process(_value: Any) -> int:
    """Return the id of the process that this runs in."""
    return os.getpid()


def about_itself(_value: Any) -> dict[str, Any]:
    """Return what a task can learn about itself."""
    context = get_task_context()
    assert context is not None, "there is no context"
    return {
        "workflow_id": context.workflow_id,
        "workflow_metadata": context.workflow_metadata,
        "instance_id": context.instance_id,
        "run_id": context.run_id,
        "task_id": context.task_id,
        "task_path": context.task_path,
        "turns": context.turns,
        "attempt": context.attempt,
        "idempotency_key": context.idempotency_key,
        "trace_parent": context.trace_parent,
        "timeout": context.metadata.timeout_secs,
        "cancelled": context.cancelled,
        "line": correlation(),
    }


def outside(_value: Any) -> bool:
    """Return whether there is a context after the body."""
    return get_task_context() is not None


def fail(kind: str) -> None:
    """Raise an exception of a kind."""
    raise {
        "of the language": ValueError("the text"),
        "of an application": MisfortuneError("the text", 17),
        "that cannot be sent": UnmovableError("the text", 17),
        "that ends programs": SystemExit("the text"),
    }[kind]


def locked(_value: Any) -> Any:
    """Return what no process can send."""
    return threading.Lock()


def die(place: str) -> None:
    """Note the call, and end the process without any farewell."""
    note(place)
    os._exit(7)


def note(place: str) -> None:
    """Add a letter to a file."""
    with Path(place).open("a") as file:
        file.write("x")


def meet(place: tuple[str, str]) -> str:
    """Say that this runs, and wait until the other one runs, too."""
    mine, other = map(Path, place)
    mine.touch()
    deadline = time.monotonic() + PATIENCE
    while not other.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{other.name} does not run beside this one")
        time.sleep(BEAT_SECONDS)
    return mine.name


def beat(place: str) -> None:
    """Add a letter to a file again and again, for ever."""
    while True:
        note(place)
        time.sleep(BEAT_SECONDS)


def hold_the_lock(seconds: int) -> int:
    """Keep the interpreter's lock for whole seconds, as some C code does."""
    ctypes.PyDLL(None).sleep(seconds)
    return seconds
