"""What surrounds the work, beside the raw limit, at small sizes: the rows "CPU" and the guards of the tests.

Ours and the limit take turns in one process, and what counts is the CPU time of all processes
together, the server's among them, which other load on the machine hardly changes; only a pickup is
waited for, so its elapsed time counts. A bound is at least twice what a quiet machine gives.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import w1
import w2
import w3
import w4
import w5
import w6
import w7
import w11
from cpu import of_cpu
from measure import Result, Settings, Side, Target, take_turns

from sayiir_pytest.postgres_server import PostgresServer

_TURNS = 3
_PICKUPS = 5

Sides = Mapping[str, Side]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One workload at a small size, and how many times the limit it may cost."""

    name: str
    opened: Callable[[ExitStack, PostgresServer, Path], Sides]
    at_most: float
    elapsed: bool = False
    slowed: int = 4
    """How many times its work a side must do to be refused for certain."""

    def judged(self, sides: Sides, turns: int = _TURNS) -> Result:
        """Measure both sides in turn."""
        metered = sides if self.elapsed else {name: of_cpu(sides[name]) for name in sides}
        return Result(
            workload="elapsed" if self.elapsed else "CPU",
            what=self.name,
            unit="ms" if self.elapsed else "s",
            times=take_turns(turns, metered),
            target=Target(of="limit", at_most=self.at_most),
        )


def _pickups(stack: ExitStack, server: PostgresServer) -> Sides:
    pickups = stack.enter_context(w6.idle(server))

    def median_of(pickup: Callable[[], float]) -> Side:
        return lambda: statistics.median(pickup() for _ in range(_PICKUPS))

    return {name: median_of(pickup) for name, pickup in pickups.items()}


GUARDS = [
    Guard(name="W1", opened=lambda *_: w1.calling(600), at_most=35),
    Guard(name="W1b", opened=lambda *_: w1.passing(100), at_most=4),
    # Its limit is so short that warm caches make it three times as fast; ours hardly gains by them.
    Guard(name="W2", opened=lambda *_: w2.remembering(200), at_most=28, slowed=12),
    Guard(
        name="W3",
        opened=lambda stack, _, folder: stack.enter_context(w3.on_file(folder, "NORMAL", 30)),
        at_most=7,
    ),
    Guard(
        name="W4",
        opened=lambda stack, server, _: stack.enter_context(w4.on_server(server, 25)),
        at_most=9,
    ),
    Guard(
        name="W5",
        opened=lambda stack, server, _: stack.enter_context(w5.draining(server, "sync", 1, 300)),
        at_most=8,
    ),
    Guard(
        name="W6",
        opened=lambda stack, server, _: _pickups(stack, server),
        # Elapsed time varies more than work does; a pickup by polling would take 100 times as long.
        at_most=10,
        elapsed=True,
        slowed=15,
    ),
    Guard(
        name="W7",
        opened=lambda stack, server, _: stack.enter_context(w7.forking(server, 5)),
        at_most=22,
    ),
    Guard(
        name="W11 one by one",
        opened=lambda stack, server, _: stack.enter_context(w11.submitting(server, 200, 1))[0],
        at_most=10,
        slowed=8,
    ),
    Guard(
        name="W11 together",
        opened=lambda stack, server, _: stack.enter_context(w11.submitting(server, 1, 2_000))[1],
        at_most=8,
    ),
]


def cpu(settings: Settings) -> list[Result]:
    """Measure the CPU time of all that is guarded by it; no size is changed."""
    results: list[Result] = []
    folder = settings.folder / "cpu"
    folder.mkdir()
    with PostgresServer() as server:
        for guard in GUARDS:
            if not guard.elapsed:
                with ExitStack() as stack:
                    sides = guard.opened(stack, server, folder)
                    results.append(guard.judged(sides, settings.repeats))
    return results
