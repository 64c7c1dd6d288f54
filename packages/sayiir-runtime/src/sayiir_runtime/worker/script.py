"""Store calls as data: a script says which call comes next, and whoever runs it makes the call.

A worker makes them on its threads; a simulation makes them late, twice, or not at all, and loses
their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

T = TypeVar("T")

Call = Callable[[], Any]
Script = Generator[Call, Any, T]
"""Yields calls, is sent their results or thrown their errors, and returns something at its end."""


def perform(script: Script[T]) -> T:
    """Run a script on this thread."""
    try:
        call = next(script)
        while True:
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - the script decides what it handles
                call = script.throw(error)
            else:
                call = script.send(result)
    except StopIteration as end:
        return cast("T", end.value)
