"""No step, submission, pickup or fork has become several times slower beside the raw limit.

The workloads are those of ``benchmarks/``, at small sizes; ``overhead.py`` there says what is compared
and sets the bounds. A median beyond its bound is measured again, twice at most. Each guard is tried
on a side that does everything several times, which it must refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import cpu
import pytest
from measure import Result, Side
from overhead import GUARDS, Guard

from sayiir_pytest.postgres_server import PostgresServer

ATTEMPTS = 3

pytestmark = [
    # They take turns on one worker, with one server.
    pytest.mark.xdist_group("guard"),
    pytest.mark.skipif(not cpu.is_known(), reason="this system tells no CPU time of processes"),
]

Sides = Mapping[str, Side]


@pytest.fixture(scope="module", params=GUARDS, ids=lambda guard: guard.name)
def guard(request: pytest.FixtureRequest) -> Guard:
    """Give one guard after the other."""
    chosen: Guard = request.param
    return chosen


@pytest.fixture(scope="module")
def sides(
    guard: Guard, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sides]:
    """Give the sides of a guard, both tests the same."""
    with ExitStack() as stack:
        yield guard.opened(stack, postgres_server, tmp_path_factory.mktemp("guard"))


@pytest.fixture
def noted(record_property: Callable[[str, object], None]) -> Callable[[Result], Result]:
    """Give what puts a result into the summary at the end of the test run."""

    def note(result: Result) -> Result:
        what = f"{result.what}, {result.workload}"
        record_property("overhead", f"{what}: {result.judged():.2f}, at most {result.target}")
        return result

    return note


def test_what_surrounds_the_work_stays_within_its_bound(
    guard: Guard, sides: Sides, noted: Callable[[Result], Result]
) -> None:
    """In the best of three medians, each of several turns."""
    assert any(noted(guard.judged(sides)).within(1.0) for _ in range(ATTEMPTS))


def test_a_side_that_does_everything_several_times_is_refused(guard: Guard, sides: Sides) -> None:
    """So a guard is near enough to what it guards, and can fail."""
    slowed = {**sides, "ours": lambda: sum(sides["ours"]() for _ in range(guard.slowed))}

    assert any(guard.judged(slowed, turns=1).within(1.0) is False for _ in range(ATTEMPTS))
