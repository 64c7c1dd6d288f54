"""Processes that start at one barrier, and whose results come back."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


def apart(works: Sequence[Callable[[], Callable[[], T]]]) -> list[T]:
    """Run each work in a fork of this process, all at once; return the results in order.

    A work prepares itself and returns what shall then be done at the same time as all others. A child
    ends at once behind it, as if killed. Raises ``AssertionError`` with its traceback if it raised.
    """
    ready_reading, ready_writing = os.pipe()
    start_reading, start_writing = os.pipe()
    children: list[tuple[int, int]] = []
    for work in works:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # A fork beside threads is what users do, too.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os.close(start_writing)
            _be_child(work, ready_writing, start_reading, writing)
        os.close(writing)
        children.append((pid, reading))
    os.close(ready_writing)
    for _ in works:
        # A child that fails before it is ready closes its end without a word.
        os.read(ready_reading, 1)
    # Its closing is the starting shot: every child sees the end of the pipe.
    for end in (ready_reading, start_reading, start_writing):
        os.close(end)
    return [_result_of(pid, reading) for pid, reading in children]


def _be_child(
    work: Callable[[], Callable[[], Any]], ready: int, start: int, writing: int
) -> NoReturn:
    try:
        act = work()
        os.write(ready, b".")
        os.read(start, 1)
        told = (True, act())
    except BaseException:  # noqa: BLE001 - the parent raises it
        os.write(ready, b".")
        told = (False, traceback.format_exc())
    with os.fdopen(writing, "wb") as report:
        report.write(pickle.dumps(told))
    sys.stdout.flush()
    os._exit(0)


def _result_of(pid: int, reading: int) -> Any:
    with os.fdopen(reading, "rb") as report:
        told = report.read()
    _, status = os.waitpid(pid, 0)
    assert told, f"a child ended with status {status} and said nothing"
    # Written by a child of this very process.
    has_result, result = pickle.loads(told)  # noqa: S301
    assert has_result, f"a child failed:\n{result}"
    return result
