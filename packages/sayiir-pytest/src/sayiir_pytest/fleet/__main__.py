"""Simulate from the command line: ``python -m sayiir_pytest.fleet --seeds 1000``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Final

from sayiir_pytest.fleet.campaign import CampaignReport, campaign, story

_TELL_SECONDS: Final = 10.0


def main(arguments: Sequence[str]) -> int:
    """Run seeds, or replay one; the exit code is 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="fleet", description="Simulate fleets of workers.")
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--start", type=int, default=0, help="the first one (default: 0)")
    parser.add_argument("--processes", type=int, help="how many (default: one for each core)")
    parser.add_argument("--seed", type=int, help="replay this one, and print its story")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        told = story(chosen.seed)
        _say(told)
        return int(told.splitlines()[-1].startswith("violation"))
    report = campaign(chosen.start, chosen.seeds, processes=chosen.processes, progress=_Progress())
    for seed, text in sorted(report.violations.items()):
        _say(f"--- seed {seed} (replay it with --seed {seed})\n{text}")
    _say(str(report))
    return int(bool(report.violations))


class _Progress:
    """Tell how far it is, now and then."""

    def __init__(self) -> None:
        self._last = monotonic()
        self._told: set[int] = set()

    def __call__(self, report: CampaignReport) -> None:
        if monotonic() - self._last > _TELL_SECONDS:
            self._last = monotonic()
            for seed in report.violations.keys() - self._told:
                self._told.add(seed)
                _say(f"seed {seed} breaks a law: {report.violations[seed].splitlines()[0]}")
            _say(str(report))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
