"""How a workload is measured: its sides take turns, several times, and medians are compared."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guests import Guests
    from peer_process import PeerProcess

_FEW = 4

Side = Callable[[], float]
"""One run of one side; returns what it took, in the unit of its workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much to measure, beside whom.

    ``scale`` divides the sizes. ``peers`` run; ``missing`` says why others do not.
    """

    repeats: int = 7
    scale: int = 1
    folder: Path
    peers: Mapping[str, PeerProcess] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def size(self, full: int) -> int:
        """Return a size of this run, at least one."""
        return max(1, full // self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is allowed: a multiple of the raw limit or of a peer, or an absolute value."""

    of: str
    at_most: float

    def __str__(self) -> str:
        return f"{self.at_most:g} × {self.of}" if self.of != "itself" else f"{self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What every side of one workload took, and what was allowed.

    ``notes`` says of a side how it was set up, or of one without times why it did not take part.
    """

    workload: str
    what: str
    unit: str
    times: Mapping[str, list[float]]
    target: Target
    notes: Mapping[str, str] = field(default_factory=dict)

    def median(self, side: str) -> float | None:
        """Return the median of a side, None if it did not take part."""
        values = self.times.get(side)
        return statistics.median(values) if values else None

    def ratio(self, side: str) -> float | None:
        """Return ours against another side: the median over the turns that they took together."""
        ratios = self._ratios(side)
        return statistics.median(ratios) if ratios else None

    def quartiles(self, side: str) -> tuple[float, float] | None:
        """Return between which ratios half of the turns lie, None for fewer than four."""
        ratios = self._ratios(side)
        if len(ratios) < _FEW:
            return None
        first, _, last = statistics.quantiles(ratios, n=4)
        return first, last

    def _ratios(self, side: str) -> list[float]:
        others = self.times.get(side)
        if not others:
            return []
        # A peer has taken part in the first turns only.
        pairs = zip(self.times.get("ours", []), others, strict=False)
        return [ours / other for ours, other in pairs]

    def judged(self) -> float | None:
        """Return the number that the target is about."""
        return self.median("ours") if self.target.of == "itself" else self.ratio(self.target.of)

    def within(self, factor: float) -> bool | None:
        """Tell whether ours stays within a multiple of the target, None if it can't be told."""
        judged = self.judged()
        return None if judged is None else judged <= self.target.at_most * factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What something costs against what it grows with: one line of points for each side or store.

    ``name`` is unique, and that of its plot's file. ``across`` and ``unit`` name the axes; the ones
    in ``logarithmic`` ("x", "y") are drawn so.
    """

    workload: str
    name: str
    title: str
    across: str
    unit: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    logarithmic: str = ""


Workload = Callable[[Settings], Sequence[Result | Series]]


def take_turns(
    repeats: int, sides: Mapping[str, Side], peers: Guests | None = None
) -> dict[str, list[float]]:
    """Run every side once to warm up, then all of them in turn, again and again.

    Peers take part in the first turns.
    """
    for side in sides.values():
        side()
    if peers is not None:
        peers.warm_up()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeats):
        for name, side in sides.items():
            gc.collect()
            times[name].append(side())
        if peers is not None:
            peers.take_turn(number)
    return times if peers is None else times | peers.times()


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long a call takes; by ``time.process_time`` what this process computes in it."""
    start = clock()
    call()
    return clock() - start
