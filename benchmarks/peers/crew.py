"""Worker processes of a peer: how its pool's workloads start, watch and end them."""

from __future__ import annotations

import itertools
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO

from protocol import own_output

_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 60.0
_SLOW_POLL = 0.2
_WARM_UP = 3
_NUMBERS = itertools.count()


class Hand:
    """One worker process: it gets ready, waits for the word, and works until its input ends."""

    def __init__(self, **parameters: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, sys.argv[0], "worker", json.dumps(parameters)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        if (word := self.line()) != "ready":
            raise RuntimeError(f"a worker said {word!r} instead of 'ready'")

    def go(self) -> None:
        """Let it work."""
        _open(self._process.stdin).write("go\n")
        _open(self._process.stdin).flush()

    def line(self) -> str:
        """Return its next line, "" at its end."""
        try:
            return self._lines.get(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            raise TimeoutError(f"a worker is silent for {_PATIENCE_SECONDS:.0f} s") from None

    def end(self) -> None:
        """End it at once, as it does not stop by itself."""
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        for line in _open(self._process.stdout):
            self._lines.put(line.strip())
        self._lines.put("")


class Orders:
    """What a worker process hears and says; the end of its input ends it."""

    def __init__(self) -> None:
        self._output: TextIO = own_output()
        self._going = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def await_go(self) -> None:
        """Say that everything is prepared, and wait for the word."""
        self.say("ready")
        self._going.wait()

    def announce(self, number: int) -> None:
        """Say that the body of an instance starts, and when."""
        self.say(f"{number} {time.monotonic_ns()}")

    def say(self, words: str) -> None:
        self._output.write(words + "\n")
        self._output.flush()

    def _listen(self) -> None:
        for _ in sys.stdin:
            self._going.set()
        os._exit(0)


def ordered() -> dict[str, Any] | None:
    """Return the parameters if this process is a worker."""
    return json.loads(sys.argv[2]) if sys.argv[1:2] == ["worker"] else None


@contextmanager
def crew(count: int, **parameters: Any) -> Iterator[list[Hand]]:
    """Start workers, which wait for the word; end them."""
    hands: list[Hand] = []
    try:
        hands.extend(Hand(number=number, **parameters) for number in range(count))
        yield hands
    finally:
        for hand in hands:
            hand.end()


def drained(hands: list[Hand], left: Callable[[], int]) -> float:
    """Let the workers go; return the seconds until nothing is left."""
    start = time.perf_counter()
    for hand in hands:
        hand.go()
    while remaining := left():
        if time.perf_counter() - start > _PATIENCE_SECONDS:
            raise TimeoutError(f"{remaining} are left after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    return time.perf_counter() - start


def pickups(
    hand: Hand, submit: Callable[[int], Any], count: int, poll: float = 0.0
) -> dict[str, float]:
    """Submit to an idle worker; return the median and the 99th percentile of the waits, in ms.

    Submissions fall anywhere into a polling interval in seconds, as pickups come in step with it.
    The first ones do not count, as the worker may still be starting; one that looks once in a while
    has had its time.
    """
    waits: list[float] = []
    uncounted = 0 if poll >= _SLOW_POLL else _WARM_UP
    for _ in range(uncounted + count):
        number = next(_NUMBERS)
        time.sleep(random.uniform(0.01, 0.05) + random.uniform(0, poll))
        before = time.monotonic_ns()
        submit(number)
        waits.append((_heard(hand, number) - before) / 1e6)
    waits.sort()
    return {
        name: waits[min(count - 1, int(q * count))] for name, q in (("p50", 0.5), ("p99", 0.99))
    }


def _heard(hand: Hand, number: int) -> int:
    """Return when the body of an instance has started.

    A worker that was ended may have left an instance that another one runs again.
    """
    while True:
        heard, at = hand.line().split()
        if heard == str(number):
            return int(at)


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
