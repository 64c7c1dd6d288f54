"""The statements that must stay cheap however much is stored."""

import psycopg
import pytest
from psycopg import sql

from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_core.snapshot.head import Lane
from sayiir_postgres import PostgresBackend
from sayiir_postgres.backend import AGING_INTERVAL
from sayiir_postgres.linear import Kind, _columns, _move_parameters
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import move, step


@pytest.fixture
def rig(place: tuple[str, str]):
    """Give a store with a thousand ready runs, and as many that wait for a signal."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    rig.backend.instances.create([rig.new() for _ in range(1000)])
    parks = [
        hand.checkpoint(move(1), AwaitSignal("go", None)) for hand in rig.take_all(rig.session())
    ]
    rig.backend.checkpoints.commit(parks)
    rig.backend.instances.create([rig.new() for _ in range(1000)])
    yield rig
    rig.close()


def explain(rig: Rig, name: str, parameters: dict[str, object]) -> str:
    """Return the plan of a statement with the tables it visits; nothing is executed."""
    text = rig.backend._database.statements[name]
    rows = rig.backend._database.run(
        lambda it: it.execute(b"EXPLAIN " + text, parameters, prepare=False).fetchall()
    )
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("analysed", [False, True])
def test_a_claim_reads_only_the_queue(rig: Rig, place: tuple[str, str], analysed: bool) -> None:
    """Scan the index of each lane and priority, and fetch by key what was chosen."""
    analyse(place, analysed)
    lanes = rig.backend.claims._lanes.numbers([Lane(rig.definition.identity, "")])
    parameters = {
        "session": rig.session(),
        "claim_no": 1,
        "lanes": lanes,
        "limit": 100,
        "reach": 264,
        "aging_interval": AGING_INTERVAL,
        "now": rig.clock.now(),
    }

    plan = explain(rig, "claim", parameters)

    assert "cursors_queue" in plan
    assert "Seq Scan on cursors" not in plan
    assert "Seq Scan on instances" not in plan


@pytest.mark.parametrize("analysed", [False, True])
def test_a_step_is_found_by_its_key(rig: Rig, place: tuple[str, str], analysed: bool) -> None:
    """Never visit everything that a session holds, in a batch or singly."""
    hands = rig.take_all()
    analyse(place, analysed)
    checkpoints = [hand.checkpoint(*step()) for hand in hands]

    one = explain(rig, "move_one", _move_parameters(checkpoints[0]) | {"now": None})
    many = explain(rig, "move_many", _columns(Kind.MOVE, checkpoints[:50]) | {"now": None})

    for plan in (one, many):
        assert "cursors_pkey" in plan
        assert "cursors_session" not in plan
        assert "Seq Scan on cursors" not in plan


def test_the_next_step_of_a_kept_cursor_touches_no_index(rig: Rig, place: tuple[str, str]) -> None:
    """Update within the page, so that no index grows with the steps."""
    hand = rig.take()
    dsn, schema = place
    table = f"{schema}.cursors"
    with psycopg.connect(dsn) as connection:
        text = rig.backend._database.statements["move_one"]
        for node in range(10):
            parameters = _move_parameters(hand.next(*step(node))) | {"now": None}
            connection.execute(text, parameters)
        counts = connection.execute(
            "SELECT pg_stat_get_xact_tuples_updated(%(table)s::regclass), "
            "pg_stat_get_xact_tuples_hot_updated(%(table)s::regclass)",
            {"table": table},
        ).fetchone()

    assert (10, 10) == counts


def analyse(place: tuple[str, str], wanted: bool) -> None:
    """Let the planner know the tables as they are, or leave it in the dark."""
    dsn, schema = place
    if wanted:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for table in ("cursors", "instances", "lanes", "sessions", "definitions"):
                connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))
