"""A pooled worker in a process of its own, over the flows of the tests of size.

Usage: worker.py DSN. It says ``ready`` and works until its input ends.
"""

from __future__ import annotations

import sys
from typing import Any

from sayiir import Flow, PooledWorker, PostgresBackend


def inc(value: int) -> int:
    """Add one."""
    return value + 1


def chain() -> Any:
    """Return four steps without a pause."""
    flow: Any = Flow("chain")
    for number in range(4):
        flow = flow.then(inc, name=f"s{number}")
    return flow.build()


def waiting() -> Any:
    """Return a step behind a signal."""
    flow: Any = Flow("waiting")
    return flow.wait_for_signal("go").then(inc, name="last").build()


def delayed() -> Any:
    """Return a step behind a day."""
    flow: Any = Flow("delayed")
    return flow.delay("pause", "1d").then(inc, name="last").build()


def main() -> None:
    """Work until nobody wants it any more."""
    backend = PostgresBackend(sys.argv[1])
    with PooledWorker("worker", backend).start([chain(), waiting(), delayed()]):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
    backend.close()


if __name__ == "__main__":
    main()
