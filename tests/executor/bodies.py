"""Tasks that run in child processes, at the top of a module, where these find them."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sayiir import LoopResult, RetryPolicy, get_task_context, task
from sayiir_core.ports.view import Lazy

logger = logging.getLogger("shop.bodies")


class BusyError(Exception):
    """Something that passes."""


@task(executor="process")
def where(_value: Any) -> int:
    return os.getpid()


@task(executor="process")
async def where_later(_value: Any) -> int:
    await asyncio.sleep(0)
    return os.getpid()


@task(executor="process")
def add_one(value: int) -> int:
    return value + 1


@task(executor="process")
def until_three(value: int) -> LoopResult[int]:
    return LoopResult.done(value) if value >= 3 else LoopResult.again(value + 1)


@task(executor="process")
def parity(value: int) -> str:
    return "odd" if value % 2 else "even"


@task(executor="process", retries=RetryPolicy(2, 0.0, retry_on=[BusyError]))
def busy_at_first(_value: Any) -> int:
    context = get_task_context()
    assert context is not None
    if context.attempt == 1:
        raise BusyError("try later")
    return context.attempt


@task(executor="process")
def bad(_value: Any) -> None:
    raise ValueError("bad")


@task(executor="process", retries=RetryPolicy(1, 0.0))
def dies_at_first(place: str) -> str:
    """Tell the pid, and be killed by the test; do better at the second attempt."""
    context = get_task_context()
    assert context is not None
    if context.attempt == 1:
        _tell(place)
        time.sleep(60)
    return f"attempt {context.attempt}"


@task(executor="process")
def breaks(_value: Any) -> None:
    """Read where no memory is."""
    os.kill(os.getpid(), signal.SIGSEGV)


@task(executor="process", timeout=2.0)
def holds_too_long(place: str) -> None:
    _tell(place)
    ctypes.PyDLL(None).sleep(60)


@task(executor="process")
def holds(place: str) -> None:
    """Tell the pid, and hold the interpreter's lock until killed."""
    _tell(place)
    ctypes.PyDLL(None).sleep(60)


@task(executor="process")
def starts_another(place: str) -> None:
    """Start a program, tell its pid, and wait for it."""
    program = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    Path(place).write_text(str(program.pid))
    program.wait()


@task(executor="process")
def until_told(place: str) -> str:
    """Tell the pid, and wait until the test has answered."""
    _tell(place)
    answer = Path(f"{place}.go")
    while not answer.exists():
        time.sleep(0.01)
    return "done"


@task(executor="process")
def talks(value: str) -> str:
    sys.stdout.write(f"printed {value}\n")
    logger.info("quiet %s", value)
    logger.warning("said %s", value, extra={"shelf": 7})
    return value


@task(executor="process")
def takes_a_look(value: Lazy[dict[str, int]]) -> int:
    return value.load()["a"]


def _tell(place: str) -> None:
    file = Path(f"{place}.new")
    file.write_text(str(os.getpid()))
    file.rename(place)
