"""The limits of tasks that take a while: the same sleeps with no store, and over the raw tables.

With no store, the bodies take their numbers from a queue in memory. Over the raw tables one
connection claims ahead and one commits what has ended, in batches, each in its thread; what was
committed goes on with its next step.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

from measure import seconds
from pg_raw import RawPool
from pool_flows import PAUSE, STEPS

CONCURRENCY = 32
_BATCH = 300
_AHEAD = 300
_REST = 0.002

Hand = tuple[tuple[Any, ...], int]


def plain(flow: str, count: int) -> float:
    """Return how many seconds so many bodies take with nothing around them."""
    numbers: SimpleQueue[int] = SimpleQueue()
    for number in range(count):
        numbers.put(number)
    if flow == "slow-async":
        return seconds(lambda: asyncio.run(_coroutines(iter(range(count)))))
    threads = [threading.Thread(target=_sleeper, args=(numbers,)) for _ in range(CONCURRENCY)]
    return seconds(lambda: _run(threads))


def _run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _sleeper(numbers: SimpleQueue[int]) -> None:
    while True:
        try:
            numbers.get_nowait()
        except Empty:
            return
        time.sleep(PAUSE)


async def _coroutines(numbers: Iterator[int]) -> None:
    async def body() -> None:
        for _ in numbers:
            await asyncio.sleep(PAUSE)

    await asyncio.gather(*(body() for _ in range(CONCURRENCY)))


class RawBodies:
    """Sleeps between raw claims and raw steps; ``run`` ends when there is nothing left."""

    def __init__(self, pools: list[RawPool], flow: str) -> None:
        self._claims, self._commits = pools
        self._is_async = flow == "slow-async"
        self._todo: SimpleQueue[Hand | None] = SimpleQueue()
        self._ended: SimpleQueue[Hand | None] = SimpleQueue()
        self._held = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        """Run everything there is."""
        bodies = [threading.Thread(target=self._loop)] if self._is_async else self._threads()
        committer = threading.Thread(target=self._commit)
        for thread in (*bodies, committer):
            thread.start()
        while self._claim() or self._held:
            time.sleep(_REST)
        for _ in range(CONCURRENCY):
            self._todo.put(None)
        self._ended.put(None)
        for thread in (*bodies, committer):
            thread.join()

    def _threads(self) -> list[threading.Thread]:
        return [threading.Thread(target=self._body) for _ in range(CONCURRENCY)]

    def _claim(self) -> bool:
        """Claim if there is little left to do; tell whether there may be more."""
        if self._todo.qsize() > _AHEAD:
            return True
        rows = self._claims.claim(_BATCH)
        with self._lock:
            self._held += len(rows)
        for row in rows:
            self._todo.put((row, 0))
        return bool(rows)

    def _body(self) -> None:
        while (hand := self._todo.get()) is not None:
            time.sleep(PAUSE)
            self._ended.put(hand)

    def _loop(self) -> None:
        asyncio.run(self._awaited())

    async def _awaited(self) -> None:
        async def body() -> None:
            while True:
                try:
                    hand = self._todo.get_nowait()
                except Empty:
                    await asyncio.sleep(_REST)
                    continue
                if hand is None:
                    return
                await asyncio.sleep(PAUSE)
                self._ended.put(hand)

        await asyncio.gather(*(body() for _ in range(CONCURRENCY)))

    def _commit(self) -> None:
        while (hand := self._ended.get()) is not None:
            hands = [hand]
            while len(hands) < _BATCH and not self._ended.empty():
                more = self._ended.get_nowait()
                assert more is not None
                hands.append(more)
            self._commits.step(hands)
            for row, node in hands:
                if node + 1 < STEPS:
                    self._todo.put((row, node + 1))
                else:
                    with self._lock:
                        self._held -= 1
