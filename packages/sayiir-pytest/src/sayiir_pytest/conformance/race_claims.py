"""Races for whole instances and for cursors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import Created, Exists
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot.answer import COMMITTED, Claim, Committed, Lost
from sayiir_core.snapshot.head import CursorState, Lane
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_pytest.conformance.suite import Conformance
from sayiir_pytest.conformance.threads import both, together


class RaceRounds(Conformance):
    """Say how hard to try: ``threads`` at once, ``rounds`` times."""

    threads: int = 6
    rounds: int = 8

    def tries(self, rig: Rig, times: int = 1) -> Iterator[int]:
        """Count the rounds; in each, nothing of the rounds before is claimable."""
        for number in range(self.rounds * times):
            rig.definition = rig.define()
            yield number

    def backends(self, rig: Rig) -> list[Backend]:
        """Return a backend per thread; of a shared store, two take turns."""
        known = [rig.backend]
        if rig.backend.capabilities.shared:
            known.append(rig.other())
        return [known[number % len(known)] for number in range(self.threads)]


class ClaimRaces(RaceRounds):
    """Race for cursors, instances and ids."""

    def test_each_due_cursor_is_claimed_by_exactly_one_of_many(self, rig: Rig) -> None:
        """Give no cursor twice and forget none, whoever asks at once."""
        backends = self.backends(rig)
        sessions = [rig.session() for _ in backends]
        for _ in self.tries(rig):
            lanes = [rig.lane()]
            made = [rig.new() for _ in range(30)]
            rig.backend.instances.create(made)

            def drain(
                backend: Backend, session: SessionId, lanes: list[Lane] = lanes
            ) -> list[Claim]:
                taken: list[Claim] = []
                while claims := backend.claims.claim(session, rig.claim_no(), lanes, 4):
                    taken.extend(claims)
                return taken

            claims = together(
                [partial(drain, *pair) for pair in zip(backends, sessions, strict=True)]
            )

            ids = [claim.lease.instance_id for taken in claims for claim in taken]
            missing = [it.lease.instance_id for it in rig.claim(sessions[0])]
            assert sorted(it.instance_id for it in made) == sorted([*ids, *missing])
            for taken, session in zip(claims, sessions, strict=True):
                stored = [rig.root(claim.lease.instance_id) for claim in taken]
                assert [session] * len(taken) == [cursor.session for cursor in stored]

    def test_of_many_sessions_exactly_one_owns(self, rig: Rig) -> None:
        """Answer ``Owned`` once, and name the winner to all others."""
        backends = self.backends(rig)
        sessions = [rig.session() for _ in backends]
        for _ in self.tries(rig):
            instance_id = rig.create(rig.new()).head.header.instance_id

            answers = together(
                [
                    partial(backend.ownership.own, session, instance_id)
                    for backend, session in zip(backends, sessions, strict=True)
                ]
            )

            (winner,) = [
                session
                for session, answer in zip(sessions, answers, strict=True)
                if isinstance(answer, Owned)
            ]
            holders = {it.holder.session_id for it in answers if isinstance(it, Busy)}
            assert {winner} == holders
            assert winner == rig.load(instance_id).header.owner

    def test_a_runner_and_a_pool_never_both_get_a_run(self, rig: Rig) -> None:
        """Grant the ownership or the claim, not both, to sessions that race."""
        backends = self.backends(rig)
        runner, pool = rig.session(), rig.session()
        for number in self.tries(rig, 3):
            instance_id = rig.create(rig.new()).head.header.instance_id

            answer, claims = both(
                partial(backends[0].ownership.own, runner, instance_id),
                partial(backends[1].claims.claim, pool, rig.claim_no(), [rig.lane()], 10),
                turn=number,
            )

            assert isinstance(answer, Owned) != bool(claims)
            assert (runner if isinstance(answer, Owned) else None) == rig.load(
                instance_id
            ).header.owner

    def test_of_concurrent_creations_of_one_id_exactly_one_wins(self, rig: Rig) -> None:
        """Answer ``Created`` once, and the winner's run to all others."""
        backends = self.backends(rig)
        for _ in self.tries(rig):
            instance_id = rig.name()
            news = [rig.new(instance_id) for _ in backends]

            batches = together(
                [
                    partial(backend.instances.create, [new])
                    for backend, new in zip(backends, news, strict=True)
                ]
            )

            answers = [answer for batch in batches for answer in batch]
            assert 1 == sum(isinstance(answer, Created) for answer in answers)
            winner = rig.load(instance_id).header.run_id
            assert {winner} == {answer.head.header.run_id for answer in answers}

    def test_concurrent_replacements_leave_one_run(self, rig: Rig) -> None:
        """Create each, one after the other, and lose every guard but the last run's."""
        backends = self.backends(rig)
        session = rig.session()
        for _ in self.tries(rig):
            instance_id = rig.start(session).instance_id
            news = [rig.new(instance_id, replace=True, owner=session) for _ in backends]

            batches = together(
                [
                    partial(backend.instances.create, [new])
                    for backend, new in zip(backends, news, strict=True)
                ]
            )

            answers = [answer for batch in batches for answer in batch]
            hands = [
                Hand(rig.backend, answer.claim)
                for answer in answers
                if isinstance(answer, Created) and answer.claim is not None
            ]
            assert len(news) == len(hands)
            last = rig.load(instance_id).header.run_id
            committed = [it.run_id for it in hands if isinstance(it.commit(*step()), Committed)]
            assert [last] == committed

    @pytest.mark.parametrize("call", ["disown", "reconcile"])
    def test_giving_up_a_run_while_it_is_replaced_spares_the_new_one(
        self, rig: Rig, call: str
    ) -> None:
        """Leave the later run to its owner, who is the same session, whichever comes first."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig, 2):
            old = rig.start_owned(session)
            new = rig.new(old.instance_id, replace=True, owner=session)
            calls: dict[str, Callable[[], object]] = {
                "disown": partial(backends[1].ownership.disown, session, old.run),
                "reconcile": partial(backends[1].sessions.reconcile, session, [], old.run),
            }

            created, _ = both(partial(rig.create, new), calls[call], turn=number)

            assert created.claim is not None
            assert COMMITTED == Hand(rig.backend, created.claim).commit(*step())
            assert session == rig.load(new.instance_id).header.owner

    def test_creations_of_one_batch_race_those_of_another(self, rig: Rig) -> None:
        """Decide each id by itself where batches overlap in opposite orders."""
        backends = self.backends(rig)
        for _ in self.tries(rig):
            ids = [rig.name() for _ in range(5)]

            batches = together(
                [
                    partial(
                        backend.instances.create,
                        [rig.new(it) for it in (ids if number % 2 else reversed(ids))],
                    )
                    for number, backend in enumerate(backends)
                ]
            )

            created = [
                answer.head.header.instance_id
                for batch in batches
                for answer in batch
                if isinstance(answer, Created)
            ]
            existing = [it for batch in batches for it in batch if isinstance(it, Exists)]
            assert sorted(ids) == sorted(created)
            assert 5 * (len(backends) - 1) == len(existing)

    def test_a_reaped_session_holds_nothing_that_it_claimed_meanwhile(self, rig: Rig) -> None:
        """Leave no cursor with a session that was ended while it claimed."""
        backends = self.backends(rig)
        for number in self.tries(rig):
            session = rig.session()
            rig.backend.instances.create([rig.new() for _ in range(5)])

            def claim(backend: Backend, session: SessionId = session) -> list[Claim]:
                with suppress(BackendError):
                    return backend.claims.claim(session, rig.claim_no(), [rig.lane()], 3)
                return []

            claims, _ = both(
                partial(claim, backends[1]), partial(backends[0].sessions.end, session), turn=number
            )

            hands = [Hand(rig.backend, it) for it in claims]
            assert all(isinstance(hand.commit(*step()), Lost) for hand in hands)
            assert 5 == len(rig.claim(rig.session(), limit=100))

    def test_a_late_release_takes_nothing_from_the_next_holder(self, rig: Rig) -> None:
        """Release by an old lease while the cursor is claimed anew."""
        backends = self.backends(rig)
        session, other = rig.session(), rig.session()
        for number in self.tries(rig, 2):
            old = rig.start(session)
            rig.backend.claims.release([old.lease])

            _, claims = both(
                partial(backends[0].claims.release, [old.lease]),
                partial(backends[1].claims.claim, other, rig.claim_no(), [rig.lane()], 1),
                turn=number,
            )

            # A claim may pass over a cursor that another call works on just then.
            (claim,) = claims or rig.claim(other)
            assert COMMITTED == Hand(rig.backend, claim).commit(*step())
            assert CursorState.READY is rig.root(old.instance_id).state
