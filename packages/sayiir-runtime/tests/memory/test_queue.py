"""The queues of the memory store hand out in order and carry no growing waste."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.avoidance import Avoidance
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.head import Cursor, Head, Header, Lane
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_runtime.memory.queue import ClaimQueue
from sayiir_runtime.memory.row import Run, Ticket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGING = timedelta(seconds=300)
IDENTITY = DefinitionIdentity("flow", "h")
LANE = Lane(IDENTITY, "")
GPU = Lane(IDENTITY, "gpu")
ME, OTHER = SessionId("me"), SessionId("other")


def seconds(number: float) -> timedelta:
    """Return a length of time."""
    return timedelta(seconds=number)


def leaving_to_others(session: SessionId, *lanes: Lane) -> Avoidance:
    """Return what a session leaves to another one that serves these lanes."""
    return Avoidance(session, lambda: [(session, (LANE, GPU)), (SessionId("third"), lanes)])


def ticket(
    due: datetime | None = NOW,
    *,
    priority: int = 3,
    group: str = "",
    avoid: SessionId | None = None,
    avoid_until: datetime | None = None,
) -> Ticket:
    """Return the ticket of an unclaimed cursor of a run of its own."""
    cursor = Cursor(
        scope=0,
        index=(),
        node=0,
        turns=(),
        input=INPUT,
        priority=priority,
        group=group,
        available_at=due,
        avoid=avoid,
        avoid_until=avoid_until,
    )
    header = Header(
        instance_id="i", run_id="r", identity=IDENTITY, policy_fingerprint="p", created_at=NOW
    )
    run = Run(head=Head(header=header, cursors={cursor.key: cursor}), payload=b"", number=1)
    return Ticket(run, cursor)


@given(
    st.lists(
        st.tuples(st.integers(-900, 900), st.integers(1, 5), st.sampled_from(["", "gpu"])),
        max_size=20,
    ),
    st.integers(0, 25),
)
def test_due_cursors_are_taken_in_claim_order(
    specs: list[tuple[int, int, str]], limit: int
) -> None:
    """The same cursors as a sort of everything would give, also across lanes."""
    queue = ClaimQueue(AGING)
    tickets = [
        ticket(NOW + timedelta(seconds=seconds), priority=priority, group=group)
        for seconds, priority, group in specs
    ]
    for it in tickets:
        queue.refresh(it)

    taken = queue.take([LANE, Lane(IDENTITY, "gpu"), Lane(IDENTITY, "none")], limit, NOW)

    due = [it.cursor for it in tickets if it.cursor.claimable(NOW)]
    orders = sorted(claim_order(cursor, AGING) for cursor in due)
    assert orders[:limit] == [claim_order(it.cursor, AGING) for it in taken]
    assert len({id(it) for it in taken}) == len(taken)


def test_what_is_held_claimed_owned_or_parked_is_not_queued() -> None:
    """Each of these leaves the queue, and comes back when it is over."""
    queue = ClaimQueue(AGING)
    it = ticket()
    changes = [
        (it.cursor, "held", True, False),
        (it.cursor, "session", "s", None),
        (it.cursor, "available_at", None, NOW),
        (it.run.head.header, "owner", "s", None),
    ]
    for target, name, away, back in changes:
        setattr(target, name, away)
        queue.refresh(it)
        assert [] == queue.take([LANE], 9, NOW)

        setattr(target, name, back)
        queue.refresh(it)
        assert [it] == queue.take([LANE], 9, NOW)


def test_a_cursor_that_changes_its_place_is_handed_out_once() -> None:
    """An entry of the former lane or due time is dropped when it surfaces."""
    queue = ClaimQueue(AGING)
    it = ticket()
    queue.refresh(it)
    it.cursor.group = "gpu"
    queue.refresh(it)
    it.cursor.available_at = NOW - AGING
    queue.refresh(it)

    assert [] == queue.take([LANE], 9, NOW)
    assert [it] == queue.take([Lane(IDENTITY, "gpu"), LANE], 9, NOW)
    assert [] == queue.take([Lane(IDENTITY, "gpu"), LANE], 9, NOW)


def test_entries_that_left_the_queue_do_not_pile_up() -> None:
    """Ten thousand changes of one far deadline leave a queue of a few entries."""
    queue = ClaimQueue(AGING)
    it = ticket(NOW + timedelta(days=1))

    for turn in range(10_000):
        it.cursor.available_at = NOW + timedelta(days=1, seconds=turn)
        queue.refresh(it)

    (lane,) = queue._lanes.values()
    assert lane.size() < 200
    assert [it] == queue.take([LANE], 9, NOW + timedelta(days=2))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.integers(1, 5),
            st.sampled_from(["", "gpu"]),
            st.sampled_from([None, ME, OTHER]),
            st.integers(0, 4),
        ),
        max_size=20,
    ),
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([ME, OTHER]),
            st.sampled_from([(), (LANE,), (GPU,), (LANE, GPU)]),
            st.integers(0, 4),
            st.integers(0, 40),
        ),
        max_size=12,
    ),
)
def test_claims_pass_over_what_avoids_them_and_nothing_else(
    specs: list[tuple[int, int, str, SessionId | None, int]],
    calls: list[tuple[int, SessionId, tuple[Lane, ...], int, int]],
) -> None:
    """Whatever was taken, given back or paused before, as a sort of everything would give."""
    queue = ClaimQueue(seconds(2))
    queued = [
        ticket(
            NOW + seconds(due),
            priority=priority,
            group=group,
            avoid=avoid,
            avoid_until=None if avoid is None else NOW + seconds(due + longer),
        )
        for due, priority, group, avoid, longer in specs
    ]
    for it in queued:
        queue.refresh(it)

    now = NOW
    for passed, session, elsewhere, limit, paused in calls:
        now += seconds(passed)
        if paused < len(queued):
            queued[paused].cursor.held = not queued[paused].cursor.held
            queue.refresh(queued[paused])
        free = [it.cursor for it in queued if not it.cursor.held]
        open_to_me = [
            it
            for it in free
            if it.claimable(now)
            and not (it.avoids(session, now) and Lane(IDENTITY, it.group) in elsewhere)
        ]
        orders = sorted(claim_order(cursor, seconds(2)) for cursor in open_to_me)
        earliest = min((it.available_at for it in free if it.available_at), default=None)

        assert earliest == queue.next_due([LANE, GPU, LANE])
        taken = queue.take([LANE, GPU], limit, now, leaving_to_others(session, *elsewhere))

        assert orders[:limit] == [claim_order(it.cursor, seconds(2)) for it in taken]
        assert {id(it.cursor) for it in taken} <= {id(it) for it in open_to_me}
        for it in taken[::2]:
            queue.refresh(it)
        queued = [it for it in queued if it not in taken[1::2]]
        lanes = queue._lanes.values()
        assert all(lane.waste == lane.size() - living(lane) for lane in lanes)


def living(lane: object) -> int:
    """Return how many entries of a lane are not waste."""
    heaps = [*lane.lines.values(), lane.avoiding]  # type: ignore[attr-defined]
    return sum(entry[2].entry == entry[1] for heap in heaps for entry in heap)


@pytest.mark.parametrize("limit", [1, 3])
def test_what_is_passed_over_uses_up_no_limit_and_stays(limit: int) -> None:
    """The rest is given at once, and all the others to whom they do not avoid."""
    queue = ClaimQueue(AGING)
    avoiding = [ticket(avoid=ME, avoid_until=NOW + seconds(2)) for _ in range(5)]
    free = [ticket(NOW, priority=5) for _ in range(3)]
    for it in (*avoiding, *free):
        queue.refresh(it)

    mine = queue.take([LANE], limit, NOW, leaving_to_others(ME, LANE))
    theirs = queue.take([LANE], 5, NOW, leaving_to_others(OTHER, LANE))

    assert free[:limit] == mine
    assert avoiding == theirs


def test_passing_over_many_costs_nothing_per_cursor() -> None:
    """A claim behind ten thousand cursors that avoid it moves none of them."""
    queue = ClaimQueue(AGING)
    for _ in range(10_000):
        queue.refresh(ticket(avoid=ME, avoid_until=NOW + seconds(2)))
    last = ticket(NOW, priority=5)
    queue.refresh(last)
    (lane,) = queue._lanes.values()
    before = list(lane.lines[ME, 3])

    taken = queue.take([LANE], 9, NOW, leaving_to_others(ME, LANE))

    assert [last] == taken
    assert before == lane.lines[ME, 3]
    assert 10_000 == len(queue.take([LANE], 20_000, NOW + seconds(2), leaving_to_others(ME, LANE)))


def test_avoidances_that_left_the_queue_do_not_pile_up() -> None:
    """Ten thousand pauses of one long back-off leave a queue of a few entries."""
    queue = ClaimQueue(AGING)
    due = NOW + timedelta(days=1)
    it = ticket(due, avoid=ME, avoid_until=due + seconds(2))

    for _ in range(10_000):
        it.cursor.held = False
        queue.refresh(it)
        queue.next_due([LANE])
        it.cursor.held = True
        queue.refresh(it)
        queue.next_due([LANE])

    assert sum(lane.size() for lane in queue._lanes.values()) < 200
