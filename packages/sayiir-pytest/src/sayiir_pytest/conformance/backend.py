"""What a backend as a whole must do: open, close, fork, be shared, tell the time."""

from __future__ import annotations

import threading
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from sayiir_core.snapshot.answer import COMMITTED, Lost
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import linear, step
from sayiir_pytest.conformance.suite import Conformance, require_durable, require_shared


class BackendConformance(Conformance):
    """Test a ``Backend``."""

    def test_making_a_backend_opens_nothing(self, clock: VirtualClock, location: Any) -> None:
        """Start no thread and open no file before the first use."""
        before = threading.active_count(), _open_files()

        backend = self.make_backend(clock, location)
        after = threading.active_count(), _open_files()
        backend.close()

        assert before == after

    def test_the_first_operation_opens_the_backend(
        self, clock: VirtualClock, location: Any
    ) -> None:
        """Work without a call of ``open``."""
        backend = self.make_backend(clock, location)
        unknown = linear("never-saved")

        found = backend.definitions.find(unknown.identity)
        backend.close()

        assert found is None

    def test_opening_is_repeatable(self, rig: Rig) -> None:
        """Change nothing at a second call of ``open``."""
        hand = rig.start()

        for _ in range(2):
            rig.backend.open()

        assert COMMITTED == hand.commit(*step())

    def test_closing_is_repeatable(self, clock: VirtualClock, location: Any) -> None:
        """Accept a second call, and one on a backend that was never used."""
        used, unused = self.make_backend(clock, location), self.make_backend(clock, location)
        used.open()

        for _ in range(2):
            used.close()
            unused.close()

    def test_closing_ends_the_sessions_of_this_backend(self, rig: Rig) -> None:
        """Give back at once what they held and owned."""
        require_durable(rig.backend.capabilities)
        session = rig.session()
        pooled, owned = rig.start(session), rig.start_owned(session)

        rig.reopen()

        view = rig.backend.sessions.view(session)
        assert view is None or not view.alive
        taken = rig.take_all()
        assert {pooled.instance_id, owned.instance_id} == {it.instance_id for it in taken}
        assert [(), ()] == [it.claim.cursor.deaths for it in taken]

    def test_the_time_is_that_of_the_clock(self, rig: Rig) -> None:
        """Tell the given clock's time, in UTC, to the microsecond."""
        first = rig.backend.now()
        moved = rig.clock.advance(timedelta(hours=1, microseconds=7))

        assert timedelta(0) == first.utcoffset()
        assert UTC == first.tzinfo
        assert moved == rig.backend.now()
        assert timedelta(hours=1, microseconds=7) == rig.backend.now() - first

    def test_capabilities_do_not_change(self, rig: Rig) -> None:
        """Declare the same before the first use and after it."""
        before = rig.backend.capabilities
        rig.start()

        assert before == rig.backend.capabilities

    def test_a_shared_store_needs_to_be_durable(self, rig: Rig) -> None:
        """Declare no sharing of what dies with its process."""
        capabilities = rig.backend.capabilities

        assert capabilities.durable or not capabilities.shared

    def test_a_second_backend_sees_and_continues_the_work_of_the_first(self, rig: Rig) -> None:
        """Exclude each other by sessions, and hand work over by a release."""
        require_shared(rig.backend.capabilities)
        hand = rig.start()
        other = rig.other()
        lanes = [rig.lane()]
        session = rig.session()

        while_held = other.claims.claim(session, 1001, lanes, 10)
        hand.must(*step(0, output=b"by the first"), keep=False)
        (claim,) = other.claims.claim(session, 1002, lanes, 10)

        assert [] == while_held
        assert {StepRef(0): b"by the first"} == claim.inputs
        assert isinstance(hand.commit(*step(1)), Lost)

    def test_closing_one_backend_leaves_another_alone(self, rig: Rig) -> None:
        """End no session of another backend on the same place."""
        require_shared(rig.backend.capabilities)
        hand = rig.start()
        other = rig.other()
        other.instances.load(hand.instance_id)

        other.close()

        assert COMMITTED == hand.commit(*step())

    def test_a_forked_child_can_work_with_the_inherited_backend(self, rig: Rig) -> None:
        """Read and write in the child, under a session of its own."""
        require_shared(rig.backend.capabilities)
        seen = rig.start()
        seen.must(*step(0))
        made = rig.new()

        def work() -> None:
            assert [b"in", b"out"] == rig.payloads(seen, INPUT, StepRef(0))
            rig.create(made)
            hand = rig.take()
            assert COMMITTED == hand.commit(*step(0, output=b"by the child"), keep=False)
            rig.backend.sessions.end(hand.lease.session)

        in_forked_child(work)

        assert [b"by the child"] == rig.payloads(rig.take(), StepRef(0))
        assert COMMITTED == seen.commit(*step(1))

    def test_a_forked_child_that_closes_or_dies_takes_nothing_with_it(self, rig: Rig) -> None:
        """Leave the parent's connections and sessions as they were."""
        require_shared(rig.backend.capabilities)
        hand = rig.start()

        def look_and_close() -> None:
            rig.load(hand.instance_id)
            rig.backend.close()

        for node, work in enumerate((rig.backend.close, look_and_close, lambda: None)):
            in_forked_child(work)

            assert COMMITTED == hand.commit(*step(node))
            assert rig.backend.sessions.renew(hand.lease.session)
        reaper = rig.session()
        assert [] == rig.backend.sessions.reap(reaper)


def _open_files() -> int | None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return pytest.skip("this system does not list open files")
    return len(list(folder.iterdir()))
