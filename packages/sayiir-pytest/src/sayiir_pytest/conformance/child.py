"""A forked child process that runs one function and dies without any clean-up."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable


def in_forked_child(work: Callable[[], None]) -> None:
    """Run a function in a fork of this process and wait for its end.

    The child ends at once behind it, as if killed: no handler runs, nothing is closed. Raises
    ``AssertionError`` with the child's traceback if the function raised.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # A fork beside threads is the very thing that is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _run(work, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as report:
        told = report.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"the child ended with status {status}:\n{told}"


def _run(work: Callable[[], None], writing: int) -> None:
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent raises it
        os.write(writing, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        os._exit(code)
