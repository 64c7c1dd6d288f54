"""Threads that start at one barrier, and whose results and errors come back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

PATIENCE = 60.0
"""Seconds after which a thread that hangs fails its test."""


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run each work in a thread of its own, all at once; return the results in order.

    Raises what any of them raised.
    """
    barrier = Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return work()

    with _eager_switching(), ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(run, work) for work in works]
        return [future.result(PATIENCE) for future in futures]


def both(one: Callable[[], A], two: Callable[[], B], *, turn: int) -> tuple[A, B]:
    """Run two works at once and return both results; by ``turn``, one or the other tends to win."""
    results: list[A] = []
    others: list[B] = []
    works = [lambda: results.append(one()), lambda: others.append(two())]
    together(works[::-1] if turn % 2 else works)
    return results[0], others[0]


@contextmanager
def _eager_switching() -> Generator[None, None, None]:
    """Let the interpreter switch threads far more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
