"""The SQL: each statement is used, and none reads more than it needs."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

import sayiir_sqlite
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_sqlite.migrate import APPLICATION_ID
from sayiir_sqlite.statement import migrations, statement

NAMES = sorted(
    it.name.removesuffix(".sql")
    for it in files("sayiir_sqlite").joinpath("sql").iterdir()
    if it.name.endswith(".sql")
)
SCANNED = {
    # There are as many live sessions as processes.
    "sessions_live": ["sessions"],
    "claim_candidates": ["s"],
    # What a range of the index gave, and no more of it than shall be counted.
    "backlog": ["(subquery-1)"],
    # It goes with pruning, and reads one row per start of a worker, and of the runs the first one.
    "sessions_forget": ["sessions", "instances"],
    "session_lanes_forget": ["sessions", "instances"],
}


def explain(rig: Rig, name: str) -> list[str]:
    """Return the lines of the plan by which SQLite executes a statement."""
    sql = statement(name)
    named = set(re.findall(r":(\w+)", sql))
    params = dict.fromkeys(named) if named else [None] * sql.count("?")
    with rig.backend._database.reading() as handle:
        rows = handle.connection.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()
    return [str(row[3]) for row in rows]


def test_every_statement_is_used_and_every_name_has_a_file() -> None:
    """Keep no SQL that nothing executes."""
    source = "".join(path.read_text() for path in Path(sayiir_sqlite.__file__).parent.glob("*.py"))

    assert NAMES == sorted(set(re.findall(r'statement\("(\w+)"\)', source)))


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_scans_a_table(rig: Rig, name: str) -> None:
    """Find every row by a key or an index."""
    plan = explain(rig, name)

    scans = [line.split()[1] for line in plan if line.startswith("SCAN")]
    assert SCANNED.get(name, []) == scans, plan


def test_the_queue_is_read_from_its_index_in_order(rig: Rig) -> None:
    """Sort nothing, and look at no cursor, only at what else serves the lane."""
    plans = [explain(rig, name) for name in ("claim_candidates", "claim_next_priority")]

    first = "SEARCH cursors USING COVERING INDEX claimable_cursors (definition=? AND grp=? AND"
    assert [first, first] == [plan[0][: len(first)] for plan in plans]
    assert not [line for plan in plans for line in plan[1:] if "cursors" in line or "TEMP" in line]


def test_a_claim_costs_the_same_among_many_parked_and_held_cursors(rig: Rig) -> None:
    """Count the instructions that SQLite executes for one claim of ten."""
    session = rig.session()
    few = _instructions_of_a_claim(rig)
    rig.backend.instances.create([rig.new() for _ in range(2000)])
    for hand in rig.take_all(session)[:1000]:
        rig.backend.claims.release([hand.lease])
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)

    many = _instructions_of_a_claim(rig)

    assert many <= few * 1.2


def _instructions_of_a_claim(rig: Rig) -> int:
    rig.backend.instances.create([rig.new() for _ in range(10)])
    session = rig.session()
    connection = rig.backend._database.writer().connection
    counted: list[None] = []
    connection.set_progress_handler(lambda: counted.append(None), 1)
    assert 10 == len(rig.claim(session, limit=10))
    connection.set_progress_handler(None, 0)
    return len(counted)


def test_a_step_costs_the_same_after_many(rig: Rig) -> None:
    """Count the instructions that SQLite executes for one commit."""
    hand = rig.start()
    connection = rig.backend._database.writer().connection
    counts: list[int] = []
    for node in range(600):
        counted: list[None] = []
        connection.set_progress_handler(lambda counted=counted: counted.append(None), 1)
        hand.must(*step(node))
        counts.append(len(counted))
    connection.set_progress_handler(None, 0)

    assert max(counts[500:]) <= max(counts[5:20]) * 1.05


def test_migrations_are_numbered_without_a_gap_and_name_their_number() -> None:
    """Let the version in the file be the number of the last migration."""
    numbers = [migration.number for migration in migrations()]

    assert list(range(1, len(numbers) + 1)) == numbers
    assert [f"PRAGMA user_version = {number};" for number in numbers] == [
        migration.statements[-1] for migration in migrations()
    ]
    assert f"PRAGMA application_id = {APPLICATION_ID};" == migrations()[0].statements[0]
