"""Workflows with bodies that leave a line in a file, for scenarios with real processes."""

from __future__ import annotations

import os
import signal
import time

from sayiir import Flow, get_task_context, task


def _note(what: str) -> None:
    context = get_task_context()
    assert context is not None
    line = f"{context.instance_id} {what} {os.getpid()} {time.time()}\n"
    file = os.open(os.environ["CHAOS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


def wait_then_add(seconds: float) -> float:
    """Take some time."""
    _note("slow")
    time.sleep(seconds)
    return seconds + 1


def quick(value: float) -> float:
    """Take no time."""
    _note("quick")
    return value


def kill_the_process(value: float) -> float:
    """Be what kills every process that runs it."""
    _note("poison")
    os.kill(os.getpid(), signal.SIGKILL)
    return value


@task(timeout="20s")
async def nothing(value: float) -> float:
    """Do nothing, on the event loop."""
    _note("nothing")
    return value


slow = Flow[float, float]("slow").then(wait_then_add).then(quick).build()
poison = Flow[float, float]("poison").then(quick).then(kill_the_process).build()
chain = Flow[float, float]("chain").then(quick).then(nothing).then(quick, name="last").build()
