"""Claims: the order over lanes and priorities, and what a claim costs others."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sayiir_core.errors import SessionEndedError
from sayiir_core.snapshot.effect import Retry
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed
from sayiir_sqlite import SQLiteBackend

GROUPS = ("", "cpu", "gpu")


@pytest.mark.parametrize("seed", range(5))
def test_claims_take_the_best_of_all_lanes_and_priorities(path: Path, seed: int) -> None:
    """Compare with the whole queue, sorted, where waiting and priority weigh about the same."""
    chance = random.Random(seed)
    clock = VirtualClock()
    rig = Rig(lambda: SQLiteBackend(path, clock=clock, aging_interval="10s"), clock)
    definitions = [rig.definition, rig.define()]
    expected: list[tuple[float, str]] = []
    start = clock.now()
    for _ in range(120):
        clock.advance(chance.choice([0, 1, 5]))
        new = rig.new(
            definition=chance.choice(definitions),
            group=chance.choice(GROUPS),
            priority=chance.randint(1, 5),
        )
        rig.create(new)
        waited = (clock.now() - start).total_seconds()
        expected.append((waited + 10 * new.priority, new.instance_id))
    lanes = [Lane(it.identity, group) for it in definitions for group in GROUPS]

    session = rig.session()
    taken: list[str] = []
    for number in range(1, 1000):
        claims = rig.backend.claims.claim(session, number, lanes, chance.choice([1, 7, 20]))
        taken += [claim.lease.instance_id for claim in claims]
        if not claims:
            break

    rank = dict(zip((it for _, it in expected), (order for order, _ in expected), strict=True))
    assert sorted(rank) == sorted(taken)
    assert sorted(rank.values()) == [rank[it] for it in taken]
    rig.close()


def test_who_finds_nothing_waits_for_no_writer(rig: Rig) -> None:
    """Look, while another process keeps the file to itself."""
    session = rig.session()
    with closing(sqlite3.connect(rig.backend.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert [] == rig.claim(session)
        assert rig.backend.claims.next_due([rig.lane()]) is None


def test_who_has_ended_is_told_so_though_there_is_nothing(rig: Rig) -> None:
    """Raise before looking."""
    session = rig.session()
    rig.backend.sessions.end(session)

    with pytest.raises(SessionEndedError):
        rig.claim(session)


def test_passing_over_asks_once_who_else_serves_the_lane(rig: Rig) -> None:
    """Read no more of each cursor that is passed over than its entry in the queue."""
    few, many = (_instructions_of_passing_over(rig, count) for count in (10, 510))

    assert many - few < 500 * 30


def _instructions_of_passing_over(rig: Rig, count: int) -> int:
    """Return what SQLite executes for a claim of one among many that avoid the session."""
    rig.definition = rig.define()
    session, _ = (rig.session(lanes=[rig.lane()]) for _ in range(2))
    rig.backend.instances.create([rig.new() for _ in range(count)])
    at = rig.clock.now() + timedelta(seconds=1)
    for claim in rig.claim(session, limit=count):
        Hand(rig.backend, claim).must(failed(0), Retry(at))
    rig.clock.advance_to(at)
    wanted = rig.create(rig.new(priority=5)).head.header.instance_id

    connection = rig.backend._database.writer().connection
    counted: list[None] = []
    connection.set_progress_handler(lambda: counted.append(None), 1)
    claims = rig.claim(session, limit=1)
    connection.set_progress_handler(None, 0)

    assert [wanted] == [claim.lease.instance_id for claim in claims]
    return len(counted)
