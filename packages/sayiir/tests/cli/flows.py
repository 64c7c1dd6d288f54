"""Workflows that a worker process serves in the tests; files in $CLI_FOLDER tell and steer."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sayiir import Flow, task

FOLDER = Path(os.environ.get("CLI_FOLDER", "."))


def note(value: str) -> None:
    """Tell that a body has begun, and in which process."""
    (FOLDER / f"{value}.pid").write_text(str(os.getpid()))


@task
def double(value: int) -> int:
    return value * 2


@task
def linger(value: str) -> str:
    note(value)
    while not (FOLDER / "go").exists():
        time.sleep(0.01)
    return f"{value} is done"


@task(tags=["gpu"])
def render(value: int) -> int:
    return value


def unfinished() -> None:
    """Be no workflow."""


quick = Flow("quick").then(double).build()
slow = Flow("slow").then(linger).build()
picture = Flow("picture").then(double).then(render).build()
unbuilt = Flow("unbuilt").then(double)
listed = [quick, slow]
named = {"q": quick, "p": picture}
mixed = [quick, 3]
