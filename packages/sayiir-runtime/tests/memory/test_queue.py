"""The queues of the memory store hand out in order and carry no growing waste."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

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


def ticket(due: datetime | None = NOW, *, priority: int = 3, group: str = "") -> Ticket:
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
