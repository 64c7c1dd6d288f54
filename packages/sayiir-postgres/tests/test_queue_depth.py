"""The view for autoscaling: what waits for workers, and since when."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from sayiir_core.snapshot.effect import Retry, Sleep
from sayiir_core.workflow.definition import Definition
from sayiir_postgres import PostgresBackend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move

AGE = timedelta(seconds=90)


@pytest.fixture
def rig(place: tuple[str, str]) -> Iterator[Rig]:
    """Give a store whose clock goes 90 seconds behind the server's, which rules the view."""
    dsn, schema = place
    with psycopg.connect(dsn) as connection:
        (now,) = connection.execute("SELECT clock_timestamp()").fetchone()
    clock = VirtualClock()
    clock.advance_to(now - AGE)
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    yield rig
    rig.close()


def depth(place: tuple[str, str], definition: Definition) -> dict[str, tuple[int, float]]:
    """Return what the view tells of one workflow, by tag set."""
    dsn, schema = place
    query = sql.SQL(
        "SELECT tags, ready, oldest_ready_seconds FROM {}.queue_depth WHERE workflow_id = %s"
    ).format(sql.Identifier(schema))
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(query, (definition.workflow_id,)).fetchall()
    return {tags: (ready, age) for tags, ready, age in rows}


def test_only_what_a_pool_could_claim_now_is_counted(rig: Rig, place: tuple[str, str]) -> None:
    """Leave out what is claimed, owned, held, asleep or in back-off."""
    session, later = rig.session(), rig.clock.now() + timedelta(days=1)
    rig.start_owned()
    rig.start(session)
    rig.start(session).must(move(1), Sleep(later))
    rig.start(session).must(failed(0), Retry(later))
    paused = rig.create(rig.new()).head.header.instance_id
    rig.backend.control.pause(paused, reason=None, by=None)
    rig.backend.instances.create([rig.new(priority=priority) for priority in (1, 3, 5)])

    ready, age = depth(place, rig.definition)[""]

    assert 3 == ready
    assert AGE.total_seconds() <= age < AGE.total_seconds() + 60


def test_each_queue_is_counted_apart(rig: Rig, place: tuple[str, str]) -> None:
    """Tell workflows and tag sets apart; an empty queue counts nothing and has no age."""
    other = rig.define()
    rig.create(rig.new(definition=other))
    rig.create(rig.new(group="a,b"))
    rig.backend.instances.create([rig.new(group="a") for _ in range(2)])
    rig.create(rig.new())
    rig.take()

    mine = depth(place, rig.definition)

    assert {"": 0, "a": 2, "a,b": 1} == {tags: ready for tags, (ready, _) in mine.items()}
    assert (0, 0.0) == mine[""]
    assert [1] == [ready for ready, _ in depth(place, other).values()]


@pytest.mark.parametrize("analysed", [False, True])
def test_the_view_reads_nothing_but_the_index_of_the_queue(
    rig: Rig, place: tuple[str, str], analysed: bool
) -> None:
    """Visit no cursor's row, whether the planner knows the tables or not."""
    dsn, schema = place
    rig.backend.instances.create([rig.new(priority=1 + it % 5) for it in range(1000)])
    with psycopg.connect(dsn, autocommit=True) as connection:
        if analysed:
            for table in ("cursors", "lanes", "definitions"):
                connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))
        function = connection.execute(
            "SELECT prosrc, proconfig FROM pg_proc "
            "WHERE proname = 'measure_queues' AND pronamespace = %s::regnamespace",
            (schema,),
        ).fetchone()
        assert function is not None
        body, settings = function
        for setting in settings:
            connection.execute(f"SET {setting}")
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {body}").fetchall())

    assert "Index Only Scan using cursors_queue" in plan
    assert "Seq Scan on cursors" not in plan
    assert "JIT" not in plan
