"""A run whose second task waits until a file is there: killed.py URL run|resume."""

import os
import sys
import time
from pathlib import Path

from sayiir import Flow, open_backend, resume_workflow, run_durable_workflow

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
if ACT == "run":
    run_durable_workflow(workflow, "it", 1, open_backend(URL))
else:
    print(resume_workflow(workflow, "it", open_backend(URL)).output)  # noqa: T201 - a program of a user
