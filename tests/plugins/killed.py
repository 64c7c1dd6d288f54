"""A run whose second task waits until a file is there: killed.py URL run|resume."""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from sayiir import Flow, open_backend
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.lease import SessionKeeper

URL, ACT = sys.argv[1:]


def note(task: str) -> None:
    with Path("calls").open("a") as calls:
        calls.write(f"{task} in {os.getpid()}\n")


def first(number: int) -> int:
    note("first")
    return number + 1


def second(number: int) -> int:
    note("second")
    while not Path("go").exists():
        time.sleep(0.01)
    return number * 10


def third(number: int) -> int:
    note("third")
    return number + 3


workflow = Flow[int, int]("killed").then(first).then(second).then(third).build()
backend = open_backend(URL)
ttl = timedelta(seconds=2)
runner = CheckpointingRunner(
    backend, keeper=SessionKeeper(backend, ttl=ttl, heartbeat=timedelta(seconds=0.5))
)
if ACT == "run":
    runner.run(workflow, "it", 1)
else:
    print(runner.resume(workflow, "it").output)  # noqa: T201 - a program of a user
