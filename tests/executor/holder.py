"""A worker in a process of its own, whose task holds an interpreter's lock for long.

``python -m tests.executor.holder URL FOLDER TTL SECONDS EXECUTOR``, the last one empty for a thread. It writes
``begun`` and ``ended`` around the body; its other workflow, which nobody else serves, does little.
"""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from typing import Any

from sayiir import Flow, PooledWorker, open_backend, task


def hold(value: Any) -> str:
    """Keep the interpreter's lock for the seconds that are asked for, as some C code does."""
    folder, seconds = Path(value[0]), int(value[1])
    with (folder / "calls").open("a") as calls:
        calls.write("holder ")
    (folder / "begun").touch()
    ctypes.PyDLL(None).sleep(seconds)
    (folder / "ended").touch()
    return "holder"


def quick(value: int) -> int:
    """Do little."""
    return value + 1


small = Flow[int, int]("small").then(quick).build()


def held(body: Any, executor: str | None = None) -> Any:
    """Return the workflow that the holder and another worker share; only the body differs."""
    return Flow("held").then(task("hold", executor=executor)(body)).build()


def main(url: str, ttl: str, executor: str) -> None:
    """Work until killed."""
    worker = PooledWorker(
        "holder", open_backend(url), claim_ttl=float(ttl), poll_interval=0.05, concurrency=4
    )
    worker.start([held(hold, executor or None), small])
    time.sleep(600)


if __name__ == "__main__":
    # By its name, so that a child finds the function.
    from tests.executor import holder

    holder.main(*sys.argv[1:])
