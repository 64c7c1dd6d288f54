"""A workflow of three tasks, whose calls are counted in a file, and its client."""

import os
import sys
import time
from pathlib import Path

from sayiir import Flow, open_backend
from sayiir_runtime.client import WorkflowClient

NUMBER = 40


def note(task: str, number: int) -> None:
    with Path("calls").open("a") as calls:
        calls.write(f"{os.getpid()} {task} {number}\n")


def first(number: int) -> int:
    note("first", number)
    time.sleep(0.05)
    return number + 1


def second(number: int) -> int:
    note("second", number)
    return number * 10


def third(number: int) -> int:
    note("third", number)
    return number + 3


workflow = Flow[int, int]("shared").then(first).then(second).then(third).build()

if __name__ == "__main__":
    client = WorkflowClient(open_backend(sys.argv[1]))
    handles = [client.submit(workflow, f"it-{number}", number) for number in range(NUMBER)]
    print([handle.result(timeout="60s") for handle in handles])  # noqa: T201 - a program of a user
