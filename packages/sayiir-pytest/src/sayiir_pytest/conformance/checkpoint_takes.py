"""What a checkpoint must do with the branches that its writer takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import COMMITTED, HELD, REPLAYED, Claim, Committed, Lost
from sayiir_core.snapshot.effect import Checkpoint, Effect
from sayiir_core.snapshot.head import Cursor, CursorKey
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance


class TakeCases(Conformance):
    """Test forks whose writer goes on with some of the branches."""

    def test_a_writer_gets_exactly_the_branches_that_it_takes(self, rig: Rig) -> None:
        """Answer a claim for each, in the order of the fork, and queue all the others."""
        session = rig.session()
        hand = rig.start(session)

        claims = _taken(hand, {4, 1}, *_fork(1, 2, 3, 4))

        assert [CursorKey(1, ()), CursorKey(4, ())] == [claim.lease.key for claim in claims]
        hands = [Hand(rig.backend, claim) for claim in claims]
        assert [it.claim.cursor for it in hands] == [it.cursor() for it in hands]
        assert [(session, session, 1)] * 2 == [
            (it.lease.session, it.claim.cursor.session, it.lease.fence) for it in hands
        ]
        assert {CursorKey(2, ()), CursorKey(3, ())} == {it.key for it in rig.take_all()}
        assert [COMMITTED] * 2 == [it.commit(*step(10 * it.key.scope)) for it in hands]

    def test_a_taken_branch_starts_as_any_other_one(self, rig: Rig) -> None:
        """Store of a branch that is taken what is stored of one that is queued."""
        hand = rig.start()

        _taken(hand, {1}, *_fork(1, 2, value=StepRef(0), group="gpu"))

        cursors = rig.load(hand.instance_id).cursors
        taken, queued = (cursors[CursorKey(scope, ())] for scope in (1, 2))
        assert _as_queued(queued) == _as_queued(taken)
        assert (rig.clock.now(), StepRef(0), "gpu") == (
            taken.available_at,
            taken.input,
            taken.group,
        )

    def test_a_branch_that_is_not_born_is_not_taken(self, rig: Rig) -> None:
        """Ignore scopes that the fork does not have, and a wish without any fork."""
        hand = rig.start()

        alone = hand.send(replace(hand.next(*step()), take=frozenset({1})))
        claims = _taken(hand, {2, 7}, move(9), spawn(1, 2))

        assert COMMITTED == alone
        assert [CursorKey(2, ())] == [claim.lease.key for claim in claims]

    def test_who_releases_a_cursor_may_take_its_branches(self, rig: Rig) -> None:
        """Let the two wishes of a writer be independent."""
        hand = rig.start()

        answer = hand.send(replace(_forking(hand, 1, 2), keep=False, take=frozenset({2})))

        assert isinstance(answer, Committed)
        assert [CursorKey(2, ())] == [claim.lease.key for claim in answer.claims]

    def test_the_owner_of_a_run_gets_every_branch(self, rig: Rig) -> None:
        """Hold all branches of an owned run for its owner, whichever it takes."""
        hand = rig.start_owned()

        claims = _taken(hand, {2}, *_fork(1, 2, 3))

        assert [1, 2, 3] == [claim.lease.scope for claim in claims]

    @pytest.mark.parametrize("request_", ["pause", "cancel"])
    def test_no_branch_of_a_held_run_is_taken(self, rig: Rig, request_: str) -> None:
        """Let nobody hold what is born under a pause or a cancel that raced the fork."""
        hand = rig.start()
        getattr(rig.backend.control, request_)(hand.instance_id, reason=None, by=None)

        answer = hand.send(replace(_forking(hand, 1, 2), take=frozenset({1, 2})))

        assert HELD == answer
        cursors = rig.load(hand.instance_id).cursors.values()
        assert [(True, None, 0)] * 2 == [
            (it.held, it.session, it.fence) for it in cursors if it.scope
        ]
        assert [] == rig.claim(rig.session())

    def test_a_repeated_fork_grants_nothing_and_takes_nothing_back(self, rig: Rig) -> None:
        """Leave what the first answer gave under the session, until that gives it back."""
        session = rig.session()
        hand = rig.start(session)
        fork = replace(_forking(hand, 1, 2), take=frozenset({1}))
        hand.send(fork)
        rig.take()

        again = hand.send(fork)

        assert REPLAYED == again
        assert [] == rig.claim(rig.session())
        rig.backend.sessions.reconcile(session, [])
        assert CursorKey(1, ()) == rig.take().key

    def test_a_taken_branch_of_any_lane_can_be_given_back(self, rig: Rig) -> None:
        """Queue it in its lane, also in one in which nothing was queued before."""
        hand = rig.start()
        (claim,) = _taken(hand, {1}, *_fork(1, group="rare"))

        rig.backend.claims.release([claim.lease])

        branch = rig.take(rig.session(), "rare")
        assert (CursorKey(1, ()), 2) == (branch.key, branch.lease.fence)

    def test_taken_branches_go_with_their_session(self, rig: Rig) -> None:
        """Give them back when the session ends, and take them from one that died."""
        ended, died = rig.session(), rig.session(ttl=timedelta(seconds=1))
        reaper = rig.steady_session()
        for session in (ended, died):
            assert rig.backend.sessions.renew(session)
            _taken(rig.start(session), {1, 2}, *_fork(1, 2))
        rig.clock.advance(TTL / 2)
        assert rig.backend.sessions.renew(reaper)

        rig.backend.sessions.end(ended)
        reaped = rig.backend.sessions.reap(reaper)

        assert [died] == reaped
        assert 4 == len(rig.claim(rig.session()))

    def test_an_ended_session_takes_no_branch(self, rig: Rig) -> None:
        """Change nothing, so that nobody holds what nobody knows of."""
        session = rig.session()
        hand = rig.start(session)
        fork = replace(_forking(hand, 1, 2), take=frozenset({1, 2}))
        rig.backend.sessions.end(session)

        answer = hand.send(fork)

        assert isinstance(answer, Lost)
        assert 1 == len(rig.load(hand.instance_id).cursors)

    def test_each_fork_of_a_batch_gives_its_own_branches(self, rig: Rig) -> None:
        """Answer, for every fork of several runs and sessions, what this one takes."""
        sessions = [rig.session(), rig.session()]
        wishes: list[tuple[SessionId, frozenset[int]]] = [
            (sessions[0], frozenset({2})),
            (sessions[0], frozenset()),
            (sessions[1], frozenset({1, 3})),
        ]
        batch: list[Checkpoint] = []
        for session, take in wishes:
            batch.append(replace(_forking(rig.start(session), 1, 2, 3), take=take))

        answers = rig.backend.checkpoints.commit(batch)

        given = [answer.claims for answer in answers if isinstance(answer, Committed)]
        assert [[2], [], [1, 3]] == [[claim.lease.scope for claim in it] for it in given]
        assert [(batch[0], wishes[0][0]), (batch[2], wishes[2][0])] == [
            (checkpoint, claims[0].lease.session)
            for checkpoint, claims in zip(batch, given, strict=True)
            if claims and claims[0].lease.run_id == checkpoint.lease.run_id
        ]
        assert 6 == len(rig.claim(rig.session()))


def _fork(*scopes: int, value: StepRef | None = None, group: str = "") -> tuple[Effect, ...]:
    return succeeded(0), move(9), spawn(*scopes, value=value or StepRef(0), group=group)


def _forking(hand: Hand, *scopes: int) -> Checkpoint:
    return hand.checkpoint(*_fork(*scopes))


def _taken(hand: Hand, take: set[int], *effects: Effect) -> tuple[Claim, ...]:
    answer = hand.send(replace(hand.next(*effects), take=frozenset(take)))
    assert isinstance(answer, Committed), answer
    return answer.claims


def _as_queued(cursor: Cursor) -> Cursor:
    """Return a branch as it is before anybody holds it, and whichever it is."""
    return replace(cursor, scope=0, node=0, session=None, fence=0)
