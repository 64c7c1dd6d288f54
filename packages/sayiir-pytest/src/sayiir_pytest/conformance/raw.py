"""What a store really keeps, read past its adapter, so that a bug in reading hides none in writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, Protocol

import pytest

from sayiir_core.ids import RunKey
from sayiir_core.snapshot.answer import COMMITTED, REPLAYED, Lost
from sayiir_core.snapshot.effect import AwaitSignal, Finish
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ROOT_KEY, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance

NEEDLE = bytes(range(256)) + b"needle"


class RawStore(Protocol):
    """The stored rows, by whatever means the adapter does not use itself."""

    def rows(self, run: RunKey) -> Mapping[str, int]:
        """Return how many rows of each kind belong to a run, with the signals of its instance id.

        The kinds are the store's own: tables, key prefixes. Only what comes and goes with the run
        counts, so neither definitions nor the numbering of an inbox. It is asked again after the
        run was removed.
        """
        ...

    def payloads(self, run: RunKey) -> Sequence[bytes]:
        """Return the run's input and outputs, in any order, as the bytes that are stored."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class RawConformance(Conformance):
    """Test what is stored. Override ``raw_store``; a store without raw access skips these tests."""

    def raw_store(self, rig: Rig, location: Any) -> RawStore | None:  # noqa: ARG002 - to override
        """Return raw access to the store of the test, None if there is none."""
        return None

    @pytest.fixture
    def raw(self, rig: Rig, location: Any) -> Iterator[RawStore]:
        """Give raw access to the store under test."""
        raw = self.raw_store(rig, location)
        if raw is None:
            pytest.skip("the store gives no raw access: override raw_store")
        yield raw
        raw.close()

    def test_payloads_are_stored_once_and_as_they_are(self, rig: Rig, raw: RawStore) -> None:
        """Encode nothing anew, and copy nothing for the branches of a fork."""
        root = rig.start()
        root.must(
            succeeded(0, output=NEEDLE), move(9), spawn(1, 2, 3, value=StepRef(0)), keep=False
        )
        for branch in rig.take_all():
            assert COMMITTED == branch.arrive(StepRef(0))

        assert sorted([b"in", NEEDLE]) == sorted(raw.payloads(root.run))
        assert [b"in", NEEDLE] == rig.payloads(root, INPUT, StepRef(0))

    def test_a_step_adds_one_row(self, rig: Rig, raw: RawStore) -> None:
        """Whatever came before it."""
        hand = rig.start()
        counts = [total(raw, hand)]
        for node in range(4):
            hand.must(*step(node))
            counts.append(total(raw, hand))

        assert [1] * 4 == [later - earlier for earlier, later in pairwise(counts)]

    def test_what_is_not_written_leaves_no_row(self, rig: Rig, raw: RawStore) -> None:
        """Neither a repetition nor a write under an old guard."""
        hand = rig.start()
        sent = hand.next(*step(0))
        assert COMMITTED == hand.send(sent)
        before = raw.rows(hand.run)

        answers = [
            hand.send(sent),
            hand.under(fence=hand.lease.fence - 1).commit(*step(1)),
            hand.under(seq=hand.seq + 1).commit(*step(1)),
        ]

        assert REPLAYED == answers[0]
        assert [Lost, Lost] == [type(answer) for answer in answers[1:]]
        assert before == raw.rows(hand.run)

    def test_a_pruned_run_leaves_no_row(self, rig: Rig, raw: RawStore) -> None:
        """Remove all that is the run's: steps, scopes, cursors, signals."""
        hand = self._eventful(rig)
        assert total(raw, hand) > 0

        rig.clock.advance(timedelta(hours=1))
        assert rig.backend.instances.prune(finished_before=rig.clock.now(), limit=100) == 1

        assert 0 == total(raw, hand)

    def test_a_replaced_run_leaves_no_row(self, rig: Rig, raw: RawStore) -> None:
        """Leave nothing of the old run, nor its signals, to whoever counts or pays for rows."""
        hand = self._eventful(rig)
        assert total(raw, hand) > 0

        rig.create(rig.new(hand.instance_id, replace=True))

        assert 0 == total(raw, hand)
        assert [] == raw.payloads(hand.run)

    def _eventful(self, rig: Rig) -> Hand:
        """Return a finished run with rows of every kind."""
        hand = rig.start()
        rig.backend.signals.send(hand.instance_id, "used", NEEDLE)
        rig.backend.signals.send(hand.instance_id, "left", NEEDLE)
        hand.must(succeeded(0, output=NEEDLE), move(1), AwaitSignal("used", None))
        hand = rig.take()
        hand.must(move(9), spawn(1, 2), keep=False)
        for branch in rig.take_all():
            branch.must(*step(10 * branch.key.scope), keep=True)
            branch.arrive(StepRef(10 * branch.key.scope))
        joined = rig.take()
        assert joined.key == ROOT_KEY
        joined.must(succeeded(9), Finish(StepRef(9)))
        return hand


def total(raw: RawStore, hand: Hand) -> int:
    """Return how many rows there are of a hand's run."""
    return sum(raw.rows(hand.run).values())
