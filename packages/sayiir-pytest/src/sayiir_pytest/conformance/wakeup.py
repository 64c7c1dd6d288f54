"""What a store that gives hints must do: tell whoever may be idle that there is something to do."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.wakeup import HintKind, Wakeup
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.listener import PATIENCE, Listener
from sayiir_pytest.conformance.occasion import CLAIMABLE, ENDING, FAR, Occasion, Occasions
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.suite import Conformance, require_shared


class WakeupConformance(Conformance):
    """Test a ``Wakeup``; a backend that has none skips these tests.

    ``hints_travel``: what one backend does is heard by another one on the same place.
    ``hint_quiet`` is how long a late hint may take: silence of this length means that none is on
    its way. ``hint_patience`` is how long a test waits for a hint before it fails.
    """

    hints_travel: bool = True
    hint_quiet: timedelta = timedelta(seconds=0.3)
    hint_patience: timedelta = PATIENCE

    def wakeup(self, backend: Backend) -> Wakeup:
        """Return the port; skip the test if there is none."""
        return backend.wakeup or pytest.skip("the store gives no hints")

    def listen(self, backend: Backend, kind: HintKind = HintKind.CLAIMABLE) -> Listener:
        """Return a new listener to hints of one kind."""
        wakeup = self.wakeup(backend)
        return Listener(wakeup, kind, quiet=self.hint_quiet, patience=self.hint_patience)

    @pytest.mark.parametrize("occasion", CLAIMABLE, ids=lambda it: it.__name__)
    def test_a_hint_follows_whatever_makes_a_cursor_claimable(
        self, rig: Rig, occasion: Occasion
    ) -> None:
        """Tell a subscriber of the backend that made the change."""
        call = occasion(Occasions(rig))

        with self.listen(rig.backend) as listener:
            assert listener.hears(call)

        assert rig.claim(rig.session())

    @pytest.mark.parametrize("occasion", ENDING, ids=lambda it: it.__name__)
    def test_a_hint_follows_the_end_of_a_run(self, rig: Rig, occasion: Occasion) -> None:
        """Tell who waits for a result, also of a run that no pool ever sees."""
        call = occasion(Occasions(rig))

        with self.listen(rig.backend, HintKind.ENDED) as listener:
            assert listener.hears(call)

    def test_a_commit_that_frees_a_cursor_and_ends_a_run_gives_both_kinds_of_hint(
        self, rig: Rig
    ) -> None:
        """Tell whoever may claim and whoever waits for a result, of one batch."""
        call = Occasions(rig).commits_of_a_release_and_an_end()

        with (
            self.listen(rig.backend) as claiming,
            self.listen(rig.backend, HintKind.ENDED) as waiting,
        ):
            claiming.settle()
            before = claiming.count

            assert waiting.hears(call)
            assert claiming.reaches(before + 1)

    def test_a_hint_follows_the_giving_up_of_a_run_that_sleeps(self, rig: Rig) -> None:
        """Tell pools to look when it is due: who polls seldom would learn that too late."""
        call = Occasions(rig).disown_of_a_run_that_sleeps()

        with self.listen(rig.backend) as listener:
            assert listener.hears(call)

        assert rig.clock.now() + TTL == rig.backend.claims.next_due([rig.lane()])

    def test_hints_reach_another_backend_on_the_same_place(self, rig: Rig) -> None:
        """Tell the subscriber of a second backend what the first one did."""
        require_shared(rig.backend.capabilities)
        if not self.hints_travel:
            pytest.skip("the store does not promise hints of other processes")
        occasions = Occasions(rig)

        other = rig.other()

        with self.listen(other) as claiming, self.listen(other, HintKind.ENDED) as waiting:
            heard = {
                it.__name__: (waiting if it in ENDING else claiming).hears(it(occasions))
                for it in FAR
            }

        assert dict.fromkeys(heard, True) == heard

    def test_closing_a_backend_tells_the_others_what_it_gave_back(self, rig: Rig) -> None:
        """Hint at what the sessions of a closed backend held."""
        require_shared(rig.backend.capabilities)
        if not self.hints_travel:
            pytest.skip("the store does not promise hints of other processes")
        rig.start()

        with self.listen(rig.other()) as listener:
            assert listener.hears(rig.backend.close)

    def test_every_subscriber_is_told(self, rig: Rig) -> None:
        """Give each of two subscribers a hint of its own."""
        with self.listen(rig.backend) as one, self.listen(rig.backend) as two:
            two.settle()
            before = two.count

            assert one.hears(lambda: rig.create(rig.new()))
            assert two.reaches(before + 1)

    def test_a_closed_subscription_is_told_nothing(self, rig: Rig) -> None:
        """Stop for good, once or twice closed, and go on telling the other one."""
        with self.listen(rig.backend) as closed, self.listen(rig.backend) as other:
            closed.settle()
            other.settle()
            for _ in range(2):
                closed.subscription.close()
            before = closed.count

            assert other.hears(lambda: rig.create(rig.new()))
            other.settle()
            assert before == closed.count

    def test_a_hint_that_raises_harms_nobody(self, rig: Rig) -> None:
        """Let the call return, tell the other subscriber, and ask the failing one again."""
        failures: list[None] = []

        def fail() -> None:
            failures.append(None)
            raise RuntimeError("a hint that fails")

        with ExitStack() as stack:
            wakeup = self.wakeup(rig.backend)
            stack.callback(wakeup.subscribe(HintKind.CLAIMABLE, fail).close)
            listener = stack.enter_context(self.listen(rig.backend))
            for _ in range(2):
                known = len(failures)
                assert listener.hears(lambda: rig.create(rig.new()))
                listener.settle()
                assert known < len(failures)

        assert 2 == len(rig.claim(rig.session()))

    def test_subscribing_needs_no_open_backend(self, clock: VirtualClock, location: Any) -> None:
        """Subscribe before the first use, and hear of it."""
        backend = self.make_backend(clock, location)
        try:
            with self.listen(backend) as listener:
                rig = Rig(lambda: backend, clock)

                assert listener.hears(lambda: rig.create(rig.new()))
        finally:
            backend.close()
