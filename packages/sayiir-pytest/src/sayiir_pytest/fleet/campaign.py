"""Many seeds on all cores, and the story of one."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from sayiir_pytest.fleet.fleet import Fleet, FleetReport
from sayiir_pytest.fleet.watch import Violation

_CHUNK: Final = 25


@dataclass(slots=True)
class CampaignReport:
    """What came of many seeds; ``violations`` tells by seed what was wrong."""

    seeds: int = 0
    events: int = 0
    deaths: int = 0
    refused: int = 0
    ends: Counter[str] = field(default_factory=Counter[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    violations: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, report: FleetReport) -> None:
        """Count one seed in which every law held."""
        self.seeds += 1
        self.events += report.events
        self.deaths += report.deaths
        self.refused += report.refused
        self.ends += report.ends
        self.requests += report.requests

    def add_all(self, other: CampaignReport) -> None:
        """Count what another process has run."""
        self.seeds += other.seeds
        self.events += other.events
        self.deaths += other.deaths
        self.refused += other.refused
        self.ends += other.ends
        self.requests += other.requests
        self.violations |= other.violations

    def __str__(self) -> str:
        return (
            f"{self.seeds} seeds, {self.events} events, {self.deaths} deaths of workers, "
            f"{self.refused} refused writes; instances: {_listed(self.ends)}; on the way: "
            f"{_listed(self.requests)}; {len(self.violations)} violations"
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))


def run_seeds(seeds: Sequence[int]) -> CampaignReport:
    """Run seeds one after the other, on this thread."""
    report = CampaignReport()
    for seed in seeds:
        try:
            report.add(Fleet(seed).run())
        except Violation as violation:
            report.seeds += 1
            report.violations[seed] = str(violation)
        except Exception as error:  # noqa: BLE001 - a crash of the worker's code is a finding too
            report.seeds += 1
            report.violations[seed] = f"{error!r}\nseed {seed}"
    return report


def campaign(
    start: int,
    number: int,
    *,
    processes: int | None = None,
    progress: Callable[[CampaignReport], None] | None = None,
) -> CampaignReport:
    """Run seeds on all cores, or in so many processes.

    ``progress`` is called now and then with what is known so far.
    """
    total = CampaignReport()
    # Started afresh, so that no lock or thread of the caller is copied.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes or os.cpu_count() or 1, mp_context=context, initializer=_collect_seldom
    ) as pool:
        chunks = [pool.submit(run_seeds, chunk) for chunk in _chunks(start, number)]
        for chunk in as_completed(chunks):
            total.add_all(chunk.result())
            if progress is not None:
                progress(total)
    return total


def _collect_seldom() -> None:
    # A quarter of the time goes into looking for garbage, of which there is little.
    gc.set_threshold(50_000, 20, 20)


def _chunks(start: int, number: int) -> Iterator[Sequence[int]]:
    for first in range(start, start + number, _CHUNK):
        yield range(first, min(first + _CHUNK, start + number))


def story(seed: int) -> str:
    """Return the whole story of a seed, event by event, and how it ended."""
    fleet = Fleet(seed)
    try:
        end = str(fleet.run())
    except Violation as violation:
        end = f"violation: {str(violation).splitlines()[0]}"
    return "\n".join([*fleet.world.story, end])
