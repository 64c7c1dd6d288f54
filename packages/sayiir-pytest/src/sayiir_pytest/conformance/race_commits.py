"""Races of commits with each other, with signals and with requests."""

from __future__ import annotations

from functools import partial

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.answer import REPLAYED, Answer, Claim, Committed
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Finish
from sayiir_core.snapshot.head import CursorKey, CursorState, Head, InstanceState
from sayiir_core.snapshot.reference import INPUT, JoinRef
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.race_claims import RaceRounds
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ROOT_KEY, give_up, move, spawn, step, succeeded
from sayiir_pytest.conformance.threads import both, together


class CommitRaces(RaceRounds):
    """Race at one cursor, at one join, at one instance."""

    def test_of_equal_commits_exactly_one_is_written(self, rig: Rig) -> None:
        """Answer one ``Committed`` and call all others replayed."""
        backends = self.backends(rig)
        session = rig.session()
        for _ in self.tries(rig):
            hand = rig.start(session)
            batch = [hand.next(*step())]

            answers = together([partial(it.checkpoints.commit, batch) for it in backends])

            flat = [answer for each in answers for answer in each]
            assert len(flat) - 1 == flat.count(REPLAYED)
            assert 1 == flat.count(Committed())
            assert 1 == len(rig.history(hand.run_id))

    def test_of_different_commits_under_one_guard_one_is_written(self, rig: Rig) -> None:
        """Store one of two conflicting results, whole, and nothing of the other."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig):
            hand = rig.start(session)
            one = [hand.checkpoint(*step(0, output=b"one"))]
            two = [hand.checkpoint(succeeded(0, output=b"two"), Finish(INPUT))]
            checkpoints = [backend.checkpoints for backend in backends]

            first, second = both(
                partial(checkpoints[0].commit, one),
                partial(checkpoints[1].commit, two),
                turn=number,
            )

            answers = [*first, *second]
            assert 1 == sum(answer == Committed() for answer in answers)
            (row,) = rig.history(hand.run_id)
            finished = rig.load(hand.instance_id).header.state is InstanceState.COMPLETED
            assert (b"two" if finished else b"one") == row.record.output

    def test_concurrent_arrivals_complete_a_join_exactly_once(self, rig: Rig) -> None:
        """Count every branch, and hand the ready parent to exactly one writer."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig):
            keep = bool(number % 2)
            root, branches = forked(rig, len(backends))
            batches = [[it.next(Arrive(INPUT, ROOT_KEY), keep=keep)] for it in branches]

            answers = together(
                [
                    partial(backend.checkpoints.commit, batch)
                    for backend, batch in zip(backends, batches, strict=True)
                ]
            )

            claims = granted([answer for each in answers for answer in each])
            parent = rig.root(root.instance_id)
            assert (CursorState.READY, 0) == (parent.state, parent.pending)
            assert int(keep) == len(claims)
            assert int(not keep) == len(rig.claim(session))
            assert [ROOT_KEY] == list(rig.load(root.instance_id).cursors)

    def test_concurrent_batches_of_arrivals_complete_a_join_exactly_once(self, rig: Rig) -> None:
        """Count every branch where several threads bring several each."""
        backends = self.backends(rig)
        for _ in self.tries(rig):
            root, branches = forked(rig, 3 * len(backends))
            lists: list[list[Checkpoint]] = []
            for number in range(len(backends)):
                mine = branches[number :: len(backends)]
                mine = mine if number % 2 else mine[::-1]
                steps = [it.next(*step(10 * it.key.scope)) for it in mine]
                lists.append(steps + [it.next(Arrive(INPUT, ROOT_KEY)) for it in mine])

            answers = together(
                [
                    partial(backend.checkpoints.commit, batch)
                    for backend, batch in zip(backends, lists, strict=True)
                ]
            )

            assert 1 == len(granted([answer for each in answers for answer in each]))
            assert 0 == rig.root(root.instance_id).pending
            join = JoinRef(1, len(branches))
            assert [INPUT] * len(branches) == rig.backend.results.branches(root.run_id, join)

    def test_overlapping_batches_in_opposite_orders_both_pass(self, rig: Rig) -> None:
        """Raise no deadlock to the caller."""
        backends = self.backends(rig)
        session = rig.session()
        rig.backend.instances.create([rig.new() for _ in range(10)])
        hands = [Hand(rig.backend, claim) for claim in rig.claim(session)]
        for number in range(self.rounds):
            batch = [hand.next(*step(number)) for hand in hands]

            answers = together(
                [
                    partial(backend.checkpoints.commit, batch if turn % 2 else batch[::-1])
                    for turn, backend in enumerate(backends)
                ]
            )

            flat = [answer for each in answers for answer in each]
            assert 10 == flat.count(Committed())
            assert 10 * (len(backends) - 1) == flat.count(REPLAYED)

    def test_the_first_of_two_racing_failures_is_the_runs(self, rig: Rig) -> None:
        """Keep one error whole, hold every cursor, and record both."""
        backends = self.backends(rig)
        for _ in self.tries(rig):
            root, (one, two) = forked(rig, 2)
            errors = [ErrorRecord(path=path, type="E", message=path) for path in ("one", "two")]

            answers = together(
                [
                    partial(
                        backends[number].checkpoints.commit,
                        [hand.next(*give_up(10 * hand.key.scope, error=errors[number]))],
                    )
                    for number, hand in enumerate((one, two))
                ]
            )

            head = rig.load(root.instance_id)
            first = rig.history(root.run_id)[0].record.error
            assert [Committed(held=True)] * 2 == [answer for (answer,) in answers]
            assert head.header.error in errors
            assert (InstanceState.FAILED, True) == (head.header.state, first in errors)
            assert all(it.held and it.session is None for it in head.cursors.values())

    def test_a_load_never_sees_half_a_commit(self, rig: Rig) -> None:
        """Show a joining parent with exactly as many branches as it waits for."""
        reader = self.backends(rig)[1]
        session = rig.session()
        for number in self.tries(rig):
            hand = rig.start(session)
            instance_id = hand.instance_id

            def fork_and_join(root: Hand = hand) -> None:
                root.must(move(9), spawn(1, 2, 3), keep=False)
                for branch in rig.take_all(session):
                    branch.must(*step(10 * branch.key.scope))
                    branch.arrive()

            def watch(instance_id: InstanceId = instance_id) -> list[Head]:
                return [reader.instances.load(instance_id) for _ in range(30)]

            _, heads = both(fork_and_join, watch, turn=number)

            for head in heads:
                pending = head.cursors[ROOT_KEY].pending
                assert pending == len(head.cursors) - 1


def forked(rig: Rig, number: int) -> tuple[Hand, list[Hand]]:
    """Fork a run into branches and claim all of them; return the root and the branches."""
    session = rig.session()
    root = rig.start(session)
    root.must(move(9), spawn(*range(1, number + 1)), keep=False)
    branches = [hand for hand in rig.take_all(session) if hand.key != CursorKey(0, ())]
    return root, branches


def granted(answers: list[Answer]) -> list[Claim]:
    """Return the claims in some answers."""
    return [it for answer in answers if isinstance(answer, Committed) for it in answer.claims]
