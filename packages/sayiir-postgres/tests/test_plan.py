"""The statements that must stay cheap however much is stored."""

import psycopg
import pytest
from psycopg import sql

from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_postgres import PostgresBackend
from sayiir_postgres.kind import Kind
from sayiir_postgres.numbered import numbered
from sayiir_postgres.single import move_parameters
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import move, step

ANALYSED_OR_NOT = pytest.mark.parametrize("analysed", [False, True], ids=["dark", "analysed"])


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


EVERY_KIND = frozenset(kind.name.lower() for kind in Kind)
STATEMENTS = pytest.mark.parametrize(
    ("statement", "uses"),
    [
        ("move_one", frozenset()),
        ("finish_one", frozenset()),
        ("commit", frozenset({"move"})),
        ("commit", frozenset({"move", "retry", "finish"})),
        ("commit", EVERY_KIND),
    ],
    ids=["one move", "one end", "moves", "lines", "all kinds"],
)


def plan_of(rig: Rig, name: str, uses: frozenset[str] = frozenset()) -> str:
    """Return the one plan that serves a statement whatever its parameters; nothing is executed."""
    text, names = numbered(rig.backend._database.statements[name], uses)
    values = f"({', '.join(['NULL'] * len(names))})" if names else ""
    explain = f"EXPLAIN EXECUTE examined{values}".encode()

    def work(connection: psycopg.Connection) -> list[tuple[str]]:
        connection.execute(b"PREPARE examined AS " + text)
        rows = connection.execute(explain).fetchall()
        connection.execute(b"DEALLOCATE examined")
        return rows

    return "\n".join(row[0] for row in rig.backend._database.run(work))


@ANALYSED_OR_NOT
def test_a_claim_reads_only_the_queue(rig: Rig, place: tuple[str, str], analysed: bool) -> None:
    """Scan the index of each lane and priority, and fetch by its place what was chosen."""
    analyse(place, analysed)

    plan = plan_of(rig, "claim")

    assert 2 == plan.count("Index Scan using cursors_queue on cursors")
    assert 2 == plan.count("Tid Scan on cursors")
    assert "Seq Scan" not in plan
    assert "Bitmap" not in plan


@ANALYSED_OR_NOT
def test_looking_ahead_probes_the_queue(rig: Rig, place: tuple[str, str], analysed: bool) -> None:
    """Read the first entry of each lane and priority, without its row where that can be."""
    analyse(place, analysed)

    plan = plan_of(rig, "next_due")

    assert "cursors_queue" in plan
    assert "Limit" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan
    assert "Bitmap" not in plan


@ANALYSED_OR_NOT
def test_counting_what_waits_reads_the_queue_up_to_a_bound(
    rig: Rig, place: tuple[str, str], analysed: bool
) -> None:
    """Read the index in its order, and no row beside it, until enough are counted."""
    analyse(place, analysed)

    plan = plan_of(rig, "backlog")

    assert "using cursors_queue" in plan
    assert "Limit" in plan
    assert "Sort Key: c" not in plan
    assert "Seq Scan on cursors" not in plan
    assert "Bitmap" not in plan


@ANALYSED_OR_NOT
@STATEMENTS
def test_a_step_is_found_by_its_key(
    rig: Rig, place: tuple[str, str], analysed: bool, statement: str, uses: frozenset[str]
) -> None:
    """Never visit everything that a session holds, in a batch or singly."""
    rig.take_all()
    analyse(place, analysed)

    plan = plan_of(rig, statement, uses)

    assert "cursors_pkey" in plan
    assert "cursors_session" not in plan
    assert "Seq Scan" not in plan


@ANALYSED_OR_NOT
def test_a_batch_is_joined_without_comparing_each_row_with_each(
    rig: Rig, place: tuple[str, str], analysed: bool
) -> None:
    """Carry the columns of a batch along; nested loops over it would be quadratic."""
    analyse(place, analysed)

    plan = plan_of(rig, "commit", EVERY_KIND)

    assert "Nested Loop" in plan
    assert "Join Filter" not in plan


def test_the_next_step_of_a_kept_cursor_touches_no_index(rig: Rig, place: tuple[str, str]) -> None:
    """Update within the page, so that no index grows with the steps."""
    hand = rig.take()
    dsn, schema = place
    table = f"{schema}.cursors"
    with psycopg.connect(dsn) as connection:
        text = rig.backend._database.statements["move_one"]
        for node in range(10):
            record, position = effects = step(node)
            parameters = move_parameters(hand.next(*effects), record.step, position)
            connection.execute(text, parameters | {"now": None})
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
