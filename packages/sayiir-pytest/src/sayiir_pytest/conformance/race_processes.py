"""Races between real processes, for stores that several may open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sayiir_core.ids import InstanceId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import Created
from sayiir_core.ports.ownership import Owned
from sayiir_core.snapshot.answer import COMMITTED, REPLAYED, Committed
from sayiir_core.snapshot.effect import Arrive, Checkpoint
from sayiir_core.snapshot.head import CursorState
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.processes import apart
from sayiir_pytest.conformance.race_claims import RaceRounds
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ROOT_KEY, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import require_shared

T = TypeVar("T")


class ProcessRaces(RaceRounds):
    """Race from processes, each of which opens the store for itself: ``processes`` at once."""

    processes: int = 4

    def at_once(self, rig: Rig, act: Callable[[Backend, int], T]) -> list[T]:
        """Act in every process at once, with a backend of its own and its number."""
        require_shared(rig.backend.capabilities)

        def prepare(number: int) -> Callable[[], T]:
            backend = rig.other()
            backend.open()
            return partial(act, backend, number)

        return apart([partial(prepare, number) for number in range(self.processes)])

    def test_each_due_cursor_is_claimed_by_exactly_one_of_many_processes(self, rig: Rig) -> None:
        """Give no cursor twice and forget none."""
        require_shared(rig.backend.capabilities)
        made = [rig.new() for _ in range(60)]
        rig.backend.instances.create(made)
        lanes = [rig.lane()]
        sessions = [rig.session() for _ in range(self.processes)]

        def drain(backend: Backend, number: int) -> list[InstanceId]:
            taken: list[InstanceId] = []
            claim_no = 1
            while claims := backend.claims.claim(sessions[number], claim_no, lanes, 4):
                taken.extend(claim.lease.instance_id for claim in claims)
                claim_no += 1
            return taken

        taken = self.at_once(rig, drain)

        left = [claim.lease.instance_id for claim in rig.claim(sessions[0])]
        everything = [*left, *(instance_id for each in taken for instance_id in each)]
        assert sorted(it.instance_id for it in made) == sorted(everything)
        for each, session in zip(taken, sessions, strict=True):
            assert {session} >= {rig.root(instance_id).session for instance_id in each}

    def test_of_many_processes_exactly_one_owns_an_instance(self, rig: Rig) -> None:
        """Tell all others that it is busy."""
        require_shared(rig.backend.capabilities)
        ids = [rig.create(rig.new()).head.header.instance_id for _ in range(12)]
        sessions = [rig.session() for _ in range(self.processes)]

        def own(backend: Backend, number: int) -> list[bool]:
            answers = [backend.ownership.own(sessions[number], instance_id) for instance_id in ids]
            return [isinstance(answer, Owned) for answer in answers]

        owned = self.at_once(rig, own)

        winners = [
            [it for it, won in zip(sessions, each, strict=True) if won]
            for each in zip(*owned, strict=True)
        ]
        assert [[rig.load(it).header.owner] for it in ids] == winners

    def test_of_processes_that_create_one_id_exactly_one_wins(self, rig: Rig) -> None:
        """Leave the run of the winner, whole."""
        require_shared(rig.backend.capabilities)
        ids = [rig.name() for _ in range(12)]
        runs = [[rig.new(instance_id) for instance_id in ids] for _ in range(self.processes)]

        def create(backend: Backend, number: int) -> list[bool]:
            answers = [backend.instances.create([new])[0] for new in runs[number]]
            return [isinstance(answer, Created) for answer in answers]

        created = self.at_once(rig, create)

        for position, instance_id in enumerate(ids):
            (winner,) = [number for number, won in enumerate(created) if won[position]]
            assert runs[winner][position].run_id == rig.load(instance_id).header.run_id

    def test_of_equal_commits_of_many_processes_exactly_one_is_written(self, rig: Rig) -> None:
        """Answer one ``Committed`` and call all others replayed."""
        require_shared(rig.backend.capabilities)
        hands = [rig.start(rig.session()) for _ in range(12)]
        batches = [[hand.next(*step())] for hand in hands]

        def commit(backend: Backend, _number: int) -> list[bool]:
            answers = [backend.checkpoints.commit(batch)[0] for batch in batches]
            assert all(answer in (COMMITTED, REPLAYED) for answer in answers), answers
            return [answer == COMMITTED for answer in answers]

        written = self.at_once(rig, commit)

        assert [1] * len(hands) == [sum(each) for each in zip(*written, strict=True)]
        assert [1] * len(hands) == [len(rig.history(hand.run_id)) for hand in hands]

    def test_arrivals_of_many_processes_complete_a_join_exactly_once(self, rig: Rig) -> None:
        """Count every branch, and make the parent ready once."""
        require_shared(rig.backend.capabilities)
        session = rig.session()
        arrivals: list[list[list[Checkpoint]]] = [[] for _ in range(self.processes)]
        parents: list[InstanceId] = []
        for _ in range(12):
            root = rig.start(session)
            scopes = range(1, self.processes + 1)
            root.must(succeeded(0), move(9), spawn(*scopes), keep=False)
            parents.append(root.instance_id)
            for number, branch in enumerate(rig.take_all(session)):
                arrivals[number].append([branch.next(Arrive(INPUT, ROOT_KEY), keep=False)])

        def arrive(backend: Backend, number: int) -> bool:
            answers = [backend.checkpoints.commit(batch)[0] for batch in arrivals[number]]
            return all(isinstance(answer, Committed) for answer in answers)

        done = self.at_once(rig, arrive)

        assert [True] * self.processes == done
        roots = [rig.root(instance_id) for instance_id in parents]
        assert [(CursorState.READY, 0)] * len(parents) == [(it.state, it.pending) for it in roots]
        assert len(parents) == len(rig.claim(session))

    def test_signals_of_many_processes_are_numbered_apart(self, rig: Rig) -> None:
        """Lose none, number none twice, and keep the order of each sender."""
        require_shared(rig.backend.capabilities)
        instance_id = rig.create(rig.new()).head.header.instance_id

        def send(backend: Backend, _number: int) -> list[int]:
            return [backend.signals.send(instance_id, "word", b"x") for _ in range(10)]

        numbers = self.at_once(rig, send)

        stored = [signal.seq for signal in rig.backend.signals.pending(instance_id)]
        assert stored == sorted(number for each in numbers for number in each)
        assert len(stored) == len(set(stored)) == 10 * self.processes
        assert all(each == sorted(each) for each in numbers)
