"""How a batch is divided, what it costs, and what becomes of rows that the server refuses."""

from datetime import timedelta

import pytest

from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.answer import COMMITTED, Committed, Refused
from sayiir_core.snapshot.effect import Arrive, AwaitSignal, Finish, Retry, Sleep, Start
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_postgres import PostgresBackend, checkpoints, fastpath
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, spawn, step, succeeded


@pytest.fixture
def rig(place):
    """Give an empty store."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    yield rig
    rig.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many checkpoints each fast statement takes."""
    sizes: list[int] = []
    write = fastpath.write_plain

    def noting(database, batch):
        sizes.append(len(batch))
        return write(database, batch)

    monkeypatch.setattr(checkpoints, "write_plain", noting)
    return sizes


@pytest.fixture
def no_slow_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if anything takes the slow path."""

    def refuse(*_):
        pytest.fail("the slow path was taken")

    monkeypatch.setattr(checkpoints, "commit_batch", refuse)


def held(rig: Rig, count: int, group: str = "") -> list[Hand]:
    """Hold that many new runs by one session; nothing else may be due in their group."""
    rig.backend.instances.create([rig.new(group=group) for _ in range(count)])
    return [Hand(rig.backend, claim) for claim in rig.claim(rig.session(), group, limit=count)]


def test_a_mixed_batch_of_many_runs_is_one_statement(rig: Rig, statements, no_slow_path) -> None:
    """Write four hundred checkpoints of six kinds at once."""
    hands = held(rig, 400)
    later = rig.clock.now() + timedelta(hours=1)
    kinds = [
        step(0),
        (succeeded(0), move(1), Sleep(later)),
        (failed(0), Retry(later)),
        (Start(),),
        (succeeded(0), Finish(StepRef(0))),
        (succeeded(0), move(9), spawn(1, 2)),
    ]
    batch = [hand.next(*kinds[number % 6]) for number, hand in enumerate(hands)]

    answers = rig.backend.checkpoints.commit(batch)

    assert [COMMITTED] * 400 == answers
    assert [400] == statements


def test_whole_forks_arrive_in_one_statement(rig: Rig, statements, no_slow_path) -> None:
    """Count down twenty parents by four, and grant the joins to the writer."""
    session = rig.session()
    rig.backend.instances.create([rig.new() for _ in range(20)])
    roots = [Hand(rig.backend, claim) for claim in rig.claim(session)]
    rig.backend.checkpoints.commit(
        [it.next(succeeded(0), move(9), spawn(1, 2, 3, 4)) for it in roots]
    )
    branches = [Hand(rig.backend, claim) for claim in rig.claim(session)]
    arrivals = [
        it.next(succeeded(10 * it.key.scope), Arrive(INPUT, CursorKey(0, ()))) for it in branches
    ]

    answers = rig.backend.checkpoints.commit(arrivals)

    claims = [claim for it in answers if isinstance(it, Committed) for claim in it.claims]
    assert [20, 80] == statements
    assert sorted(it.run_id for it in roots) == sorted(claim.lease.run_id for claim in claims)
    joins = [Hand(rig.backend, claim) for claim in claims]
    assert [COMMITTED] * 20 == rig.backend.checkpoints.commit([it.next(*step(9)) for it in joins])


def test_what_is_slow_waits_for_nothing_fast(rig: Rig, statements) -> None:
    """Write what is plain in one statement, and the rest in one transaction."""
    hands = held(rig, 10)
    waits = [(succeeded(0), move(1), AwaitSignal("go", None)), step(0)]
    batch = [hand.next(*waits[number % 2]) for number, hand in enumerate(hands)]

    assert [COMMITTED] * 10 == rig.backend.checkpoints.commit(batch)
    assert [5] == statements


def test_a_lane_that_is_new_is_made_on_the_way(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the batch with its first cursor to the slow path, which makes the lane."""
    slow: list[int] = []
    commit = checkpoints.commit_batch

    def noting(database, connection, lanes, batch):
        slow.append(len(batch))
        return commit(database, connection, lanes, batch)

    monkeypatch.setattr(checkpoints, "commit_batch", noting)
    hands = held(rig, 6)

    for some in (hands[:3], hands[3:]):
        mover, *others = some
        batch = [mover.next(succeeded(0), move(1, group="new"), keep=False)]
        batch += [hand.next(*step(0)) for hand in others]
        assert [COMMITTED] * 3 == rig.backend.checkpoints.commit(batch)

    assert [3] == slow
    assert 2 == len(rig.claim(rig.session(), "new"))


BAD = {
    "a record that is there already": (succeeded(7), move(8)),
    "a number that is too large": (succeeded(2**40), move(1)),
    "a text that is no text": (failed(0), move(1, group="\ud800")),
    "a priority that there is not": (succeeded(0), move(1, priority=9)),
    "a text with a NUL": (succeeded(0), move(1, group="\0")),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("alone", [True, False])
def test_a_row_that_the_server_refuses_is_refused_alone(
    rig: Rig, bad: str, alone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Find it among others by halving, and name its instance; its lease is still good."""
    hands = held(rig, 1 if alone else 37)
    poisoned = hands[len(hands) // 2]
    poisoned.must(succeeded(7), move(0))
    batch = [hand.next(*(BAD[bad] if hand is poisoned else step(0))) for hand in hands]

    answers = rig.backend.checkpoints.commit(batch)

    refused = answers.pop(len(hands) // 2)
    assert isinstance(refused, Refused)
    assert poisoned.instance_id in refused.why
    assert [] == caplog.records
    assert [COMMITTED] * len(answers) == answers
    poisoned.seq -= 1
    assert COMMITTED == poisoned.commit(*step(0))


def test_an_error_that_no_text_column_holds_is_cleaned(rig: Rig) -> None:
    """Store a message with NUL and lone surrogates, in a batch too."""
    hands = held(rig, 3)
    error = ErrorRecord(path="p", type="E", message="a\0b\ud800c", traceback="\0")
    at = rig.clock.now()
    effects = (failed(0, error=error), Retry(at))

    answers = rig.backend.checkpoints.commit([hand.next(*effects) for hand in hands])

    assert [COMMITTED] * 3 == answers
    stored = [rig.history(hand.run_id)[0].record.error for hand in hands]
    assert ["a\N{REPLACEMENT CHARACTER}b?c"] * 3 == [it.message for it in stored if it]


def test_a_large_output_names_the_limit(place) -> None:
    """Tell how large it is, what is allowed, and what to do."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(
        lambda: PostgresBackend(dsn, schema=schema, clock=clock, max_payload_bytes=1000), clock
    )
    hand = rig.start()

    refused = hand.commit(*step(0, output=bytes(1001)))
    rig.close()

    assert isinstance(refused, Refused)
    for part in (hand.instance_id, "1001 bytes", "max_payload_bytes=1000", "raise the limit"):
        assert part in refused.why


def test_pools_hear_of_what_a_commit_made_ready(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hint after a release, a due retry, a fork or an end; not while the writer goes on alone."""
    hints: list[set[HintKind]] = []
    monkeypatch.setattr(rig.backend._database, "hint", hints.append)
    now, later = rig.clock.now(), rig.clock.now() + timedelta(hours=1)
    cases = [
        (step(0), True, []),
        ((Start(),), True, []),
        ((failed(0), Retry(later)), True, []),
        ((succeeded(0), move(1), Sleep(later)), True, []),
        (step(0), False, [{HintKind.CLAIMABLE}]),
        ((failed(0), Retry(now)), True, [{HintKind.CLAIMABLE}]),
        ((succeeded(0), move(9), spawn(1)), True, [{HintKind.CLAIMABLE}]),
        ((succeeded(0), Finish(INPUT)), True, [{HintKind.ENDED}]),
    ]
    for number, (effects, keep, expected) in enumerate(cases):
        hands = held(rig, 2, f"case-{number}")
        hints.clear()

        rig.backend.checkpoints.commit([hand.next(*effects, keep=keep) for hand in hands])

        assert expected == hints, effects
