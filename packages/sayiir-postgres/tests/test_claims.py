"""Claims beside each other, far into the queue, and beside a lot that is stored."""

from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.effect import Retry
from sayiir_core.snapshot.head import Lane
from sayiir_core.snapshot.reference import StepRef
from sayiir_postgres import PostgresBackend
from sayiir_postgres.backend import AGING_INTERVAL
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, step, succeeded

GROUPS = ("", "a", "b")


@pytest.fixture
def rig(place):
    """Give an empty store."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    yield rig
    rig.close()


def queue(rig: Rig, count: int) -> list[Lane]:
    """Queue runs over three lanes and five priorities, a minute apart; return the lanes."""
    for number in range(count):
        rig.clock.advance(60)
        new = rig.new(group=GROUPS[number % 3], priority=number * 7 % 5 + 1)
        rig.backend.instances.create([new])
    return [rig.lane(group) for group in GROUPS]


def ranks(claims: list[Claim]) -> list[object]:
    """Return where each cursor stood in the queue."""
    return [claim_order(claim.cursor, AGING_INTERVAL) for claim in claims]


class Waiting:
    """Let another connection hold what a claim would take, as a claim under way does."""

    def __init__(self, place, limit: int) -> None:
        dsn, schema = place
        self.connection = psycopg.connect(dsn)
        table = sql.Identifier(schema, "cursors")
        best = sql.SQL(
            "SELECT run::text FROM {} WHERE queued_at IS NOT NULL "
            "ORDER BY queued_at + queue_priority * interval '5 min', run "
            "LIMIT {} FOR NO KEY UPDATE"
        ).format(table, limit)
        self.runs = {row[0] for row in self.connection.execute(best).fetchall()}

    def __enter__(self):
        return self.runs

    def __exit__(self, *_):
        self.connection.close()


def test_two_claims_at_once_take_the_best_of_all(rig: Rig, place) -> None:
    """Take the next best of what another claim is just taking, and nothing behind them."""
    lanes = queue(rig, 60)
    session = rig.session()

    with Waiting(place, 20) as others:
        mine = rig.backend.claims.claim(session, 1, lanes, 20)
    rest = rig.backend.claims.claim(session, 2, lanes, 100)

    assert 20 == len(mine)
    assert sorted(ranks(mine)) == ranks(mine)
    assert not others & {claim.lease.run_id for claim in mine}
    theirs = [claim for claim in rest if claim.lease.run_id in others]
    left = [claim for claim in rest if claim.lease.run_id not in others]
    assert 20 == len(theirs)
    assert max(ranks(theirs)) <= min(ranks(mine))
    assert max(ranks(mine)) <= min(ranks(left))


def test_a_claim_reaches_behind_whatever_others_hold(rig: Rig, place) -> None:
    """Look further until there is enough, however many are locked before it; in one order."""
    lanes = queue(rig, 200)

    with Waiting(place, 150):
        claims = rig.backend.claims.claim(rig.session(), 1, lanes, 30)

    assert 30 == len(claims)
    assert sorted(ranks(claims)) == ranks(claims)


def test_a_claim_of_all_ends_where_others_hold_the_rest(rig: Rig, place) -> None:
    """Return what there is instead of looking for ever."""
    lanes = queue(rig, 50)

    with Waiting(place, 40):
        claims = rig.backend.claims.claim(rig.session(), 1, lanes, 30)

    assert 10 == len(claims)


def test_many_avoided_cursors_in_front_use_up_nothing(rig: Rig) -> None:
    """Pass over what is left to another session, in search of the best and of enough."""
    rig.backend.instances.create([rig.new() for _ in range(150)])
    lane = rig.lane()
    unlucky, other = (rig.session(lanes=(lane,)) for _ in range(2))
    at = rig.clock.now() + timedelta(seconds=2)
    failing = rig.backend.claims.claim(unlucky, 1, [lane], 150)
    rig.backend.checkpoints.commit(
        [Hand(rig.backend, it).next(failed(0), Retry(at)) for it in failing]
    )
    rig.clock.advance(2)
    fresh = rig.create(rig.new()).head.header.instance_id

    mine = rig.backend.claims.claim(unlucky, 2, [lane], 10)
    theirs = rig.backend.claims.claim(other, 3, [lane], 200)

    assert [fresh] == [claim.lease.instance_id for claim in mine]
    assert 150 == len(theirs)


def test_an_input_deep_in_loops_comes_with_the_claim(rig: Rig) -> None:
    """Find the step by turns of any number, the largest too."""
    turns = (0, 255, 2**31, 2**32 - 1)
    hand = rig.start()
    hand.must(succeeded(0), move(1, turns=turns))
    hand.must(succeeded(1, turns=turns, output=b"deep"), move(2, to=StepRef(1, turns)), keep=False)

    assert {StepRef(1, turns): b"deep"} == rig.take().claim.inputs


def test_a_claim_is_one_round_trip(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring the inputs along, and ask the server once."""
    rig.backend.instances.create([rig.new(value=b"small") for _ in range(10)])
    session = rig.session()
    rig.claim(session, limit=0)
    executed: list[object] = []
    execute = psycopg.Cursor.execute
    monkeypatch.setattr(
        psycopg.Cursor,
        "execute",
        lambda self, *args, **kwargs: executed.append(args) or execute(self, *args, **kwargs),
    )

    claims = rig.claim(session, limit=10)

    assert [1] * 10 == [len(claim.inputs) for claim in claims]
    assert 1 == len(executed)


def test_a_claim_costs_the_same_beside_a_lot(place) -> None:
    """Touch no more pages for a hundred cursors among tens of thousands than among hundreds."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    hand = rig.start()
    hand.must(*step(), keep=False)
    lanes = [rig.lane(group) for group in GROUPS]
    rig.session(lanes=tuple(lanes))
    rig.backend.claims.claim(hand.lease.session, 1, lanes, 1)

    costs = []
    for ready, parked in ((300, 0), (30_000, 15_000)):
        _store(dsn, schema, rig, ready, parked)
        costs.append(_pages_of_a_claim(rig, lanes))
    rig.close()

    few, many = costs
    assert many < 2 * few


def _store(dsn: str, schema: str, rig: Rig, ready: int, parked: int) -> None:
    """Store that many cursors over three lanes and five priorities, and nothing else."""
    numbers = rig.backend.claims._lanes.numbers([rig.lane(group) for group in GROUPS])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        connection.execute("TRUNCATE cursors")
        connection.execute(
            """
            INSERT INTO cursors (
                run, scope, idx, definition, claim_no, fence, held, state, pending, tags, priority,
                queue_lane, queue_priority, queued_at, seq, node, turns, input, available_at,
                attempt, fresh_from
            )
            SELECT
                gen_random_uuid(), 0, '', 1, 0, 0, false, 'ready', 0, '', p.priority, p.lane,
                p.priority, p.due, 0, 0, '', 'i', p.due, 0, 0
            FROM generate_series(1, %(count)s) AS g (number)
            CROSS JOIN LATERAL (
                SELECT 1 + number / 3 %% 5 AS priority, %(lanes)s[1 + number %% 3] AS lane,
                    %(now)s + (number - %(ready)s - 1) * interval '10 ms'
                    + CASE WHEN number > %(ready)s THEN interval '1 day' ELSE '0' END AS due
            ) AS p
            """,
            {"count": ready + parked, "ready": ready, "lanes": numbers, "now": rig.clock.now()},
        )
        connection.execute("VACUUM ANALYZE cursors")


def _pages_of_a_claim(rig: Rig, lanes: list[Lane]) -> int:
    """Return how many pages a claim of a hundred looks at, without taking them."""
    claims = rig.backend.claims
    parameters = claims._parameters(rig.session(), 1, claims._lanes.numbers(lanes), 100, 132)
    text = rig.backend._database.statements["claim"]

    def work(connection: psycopg.Connection) -> int:
        with connection.transaction(force_rollback=True):
            query = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text
            ((plans,),) = connection.execute(query, parameters, prepare=False).fetchall()
        plan = plans[0]["Plan"]
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    return rig.backend._database.run(work)
