"""Occasions for hints: calls that make something claimable, or end a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from sayiir_core.snapshot.effect import AwaitSignal, Effect, Finish, Retry, Sleep
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import failed, give_up, move, spawn, step, succeeded

Call = Callable[[], object]
_NONE: Final = timedelta(0)


class Occasions:
    """What must be followed by a hint: each prepares a run, and returns the call that matters."""

    def __init__(self, rig: Rig) -> None:
        """Work on one rig."""
        self.rig = rig

    # --- something becomes claimable ---------------------------------------------------------

    def create(self) -> Call:
        """Create a run that nobody owns."""
        return lambda: self.rig.create(self.rig.new())

    def send(self) -> Call:
        """Send what a cursor waits for."""
        hand = self._committed(move(1), AwaitSignal("go", None))
        return lambda: self.rig.backend.signals.send(hand.instance_id, "go", b"")

    def unpause(self) -> Call:
        """End a pause."""
        hand = self._started()
        self.rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        hand.must(*step())
        return lambda: self.rig.backend.control.unpause(hand.instance_id)

    def retry(self) -> Call:
        """Revive a failed run."""
        hand = self._committed(*give_up())
        return lambda: self.rig.backend.control.retry(hand.instance_id)

    def commit_that_releases(self) -> Call:
        """Commit a step, and keep nothing."""
        return self._commit(*step(), keep=False)

    def commit_that_spawns(self) -> Call:
        """Commit a fork."""
        return self._commit(succeeded(0), move(9), spawn(1, 2))

    def commit_that_takes_a_branch(self) -> Call:
        """Commit a fork of which the writer takes one branch."""
        hand = self._started()
        fork = hand.checkpoint(succeeded(0), move(9), spawn(1, 2))
        return lambda: hand.send(replace(fork, take=frozenset({1})))

    def commit_that_completes_a_join(self) -> Call:
        """Commit the last arrival, and keep nothing."""
        rig = self.rig
        root = self._committed(move(9), spawn(1, 2, group="branch"))
        branches = [Hand(rig.backend, it) for it in rig.claim(rig.session(), "branch")]
        first, last = [it for it in branches if it.instance_id == root.instance_id]
        first.arrive()
        return last.arrive

    def commit_that_retries_at_once(self) -> Call:
        """Commit a failure without a back-off."""
        return self._commit(failed(0), Retry(self.rig.clock.now()))

    def commit_of_a_sleep_that_is_over(self) -> Call:
        """Commit a delay of no length."""
        return self._commit(move(1), Sleep(self.rig.clock.now()))

    def commit_of_a_wait_without_time(self) -> Call:
        """Commit a wait whose deadline is now."""
        return self._commit(move(1), AwaitSignal("go", _NONE))

    def commit_of_a_wait_that_is_over(self) -> Call:
        """Commit a wait whose signal is there."""
        hand = self._started()
        self.rig.backend.signals.send(hand.instance_id, "go", b"")
        return lambda: hand.must(move(1), AwaitSignal("go", None))

    def release(self) -> Call:
        """Give a lease back."""
        hand = self._started()
        return lambda: self.rig.backend.claims.release([hand.lease])

    def release_claim(self) -> Call:
        """Give a claim call back."""
        hand = self._started()
        session, number = hand.lease.session, hand.claim.cursor.claim_no
        return lambda: self.rig.backend.claims.release_claim(session, number)

    def reconcile(self) -> Call:
        """Give everything back that a session holds."""
        hand = self._started()
        return lambda: self.rig.backend.sessions.reconcile(hand.lease.session, [])

    def end(self) -> Call:
        """End a session that holds something."""
        hand = self._started()
        return lambda: self.rig.backend.sessions.end(hand.lease.session)

    def end_of_an_owner(self) -> Call:
        """End a session that owns a run."""
        hand = self.rig.start_owned()
        return lambda: self.rig.backend.sessions.end(hand.lease.session)

    def reap(self) -> Call:
        """Take from a session that died."""
        rig = self.rig
        reaper = rig.steady_session()
        self._started(rig.session(ttl=timedelta(seconds=1)))
        rig.clock.advance(TTL / 2)
        assert rig.backend.sessions.renew(reaper)
        return lambda: rig.backend.sessions.reap(reaper)

    def disown(self) -> Call:
        """Give up a run."""
        hand = self.rig.start_owned()
        return lambda: self.rig.backend.ownership.disown(hand.lease.session, hand.run)

    def commits_of_a_release_and_an_end(self) -> Call:
        """Commit a step of one run, and keep nothing, together with the end of another run."""
        session = self.rig.session()
        going, ending = self._started(session), self._started(session)
        batch = [
            going.checkpoint(*step(), keep=False),
            ending.checkpoint(succeeded(0), Finish(INPUT)),
        ]
        return lambda: self.rig.backend.checkpoints.commit(batch)

    def disown_of_a_run_that_sleeps(self) -> Call:
        """Give up a run that is due later, of which no pool knows when."""
        hand = self.rig.start_owned()
        hand.must(move(1), Sleep(self.rig.clock.now() + TTL), keep=False)
        return lambda: self.rig.backend.ownership.disown(hand.lease.session, hand.run)

    # --- a run ends --------------------------------------------------------------------------

    def finish(self) -> Call:
        """Complete a run that is owned."""
        hand = self.rig.start_owned()
        return lambda: hand.must(succeeded(0), Finish(INPUT))

    def failure(self) -> Call:
        """Fail."""
        hand = self.rig.start_owned()
        return lambda: hand.must(*give_up())

    def cancel(self) -> Call:
        """Cancel a run of which nothing executes."""
        instance_id = self.rig.create(self.rig.new()).head.header.instance_id
        return lambda: self.rig.backend.control.cancel(instance_id, reason=None, by=None)

    def last_body_of_a_cancelled_run(self) -> Call:
        """Commit what ran on when its run was cancelled."""
        hand = self.rig.start_owned()
        self.rig.backend.control.cancel(hand.instance_id, reason=None, by=None)
        return lambda: hand.must(*step())

    def replace(self) -> Call:
        """Replace a run by one that is born owned."""
        hand = self.rig.start_owned()
        new = self.rig.new(hand.instance_id, replace=True, owner=hand.lease.session)
        return lambda: self.rig.create(new)

    # --- preparing ---------------------------------------------------------------------------

    def _started(self, session: Any = None) -> Hand:
        # On lanes of its own, so that what others left behind is not claimed instead.
        self.rig.definition = self.rig.define()
        return self.rig.start(session)

    def _committed(self, *effects: Effect) -> Hand:
        hand = self._started()
        hand.must(*effects)
        return hand

    def _commit(self, *effects: Effect, keep: bool = True) -> Call:
        hand = self._started()
        return lambda: hand.must(*effects, keep=keep)


CLAIMABLE: Final = (
    Occasions.create,
    Occasions.send,
    Occasions.unpause,
    Occasions.retry,
    Occasions.commit_that_releases,
    Occasions.commit_that_spawns,
    Occasions.commit_that_takes_a_branch,
    Occasions.commit_that_completes_a_join,
    Occasions.commit_that_retries_at_once,
    Occasions.commit_of_a_sleep_that_is_over,
    Occasions.commit_of_a_wait_without_time,
    Occasions.commit_of_a_wait_that_is_over,
    Occasions.release,
    Occasions.release_claim,
    Occasions.reconcile,
    Occasions.end,
    Occasions.end_of_an_owner,
    Occasions.reap,
    Occasions.disown,
)
"""After which an unheld cursor of no owner is due now."""

ENDING: Final = (
    Occasions.finish,
    Occasions.failure,
    Occasions.cancel,
    Occasions.last_body_of_a_cancelled_run,
    Occasions.replace,
)
"""After which a run has ended."""

FAR: Final = (
    Occasions.create,
    Occasions.send,
    Occasions.unpause,
    Occasions.commit_that_spawns,
    Occasions.release,
    Occasions.end,
    Occasions.finish,
)
"""Of which other processes must hear."""

Occasion = Callable[[Occasions], Call]
