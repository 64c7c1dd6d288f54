"""The laws of what comes from outside: runs that are replaced, retried, owned and given back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Head, InstanceState


class RequestWatch:
    """What was seen of requests; ``counts`` has how many of each were granted."""

    def __init__(self, violate: Callable[[str], AssertionError]) -> None:
        self._violate = violate
        self.counts: Counter[str] = Counter()

    def created(self, new: NewInstance, before: Head | None, after: Head) -> None:
        """Check that a run begins with nothing of the one that it replaces."""
        if before is not None:
            self.counts["replaced"] += 1
            self.counts["replaced at work"] += before.executing
        cursors = list(after.cursors.values())
        is_fresh = (
            after.header.run_id == new.run_id
            and after.header.state is InstanceState.RUNNING
            and after.header.owner == new.owner
            and [(it.node, it.seq, it.deaths) for it in cursors] == [(new.node, 0, ())]
        )
        if not is_fresh or (before is not None and after.inbox):
            raise self._violate(f"a replaced run has left something: {after}, created as {new}")

    def retried(self, before: Head, after: Head) -> None:
        """Check that a retry revives all of a failed run at rest, and changes nothing else."""
        self.counts["retried"] += 1
        if before.header.state is not InstanceState.FAILED or before.executing:
            raise self._violate(f"what still runs was retried: {before}")
        for key, cursor in before.cursors.items():
            if after.cursors.get(key) != replace(cursor, held=False):
                raise self._violate(
                    f"a retry changed more than it must, or less: {cursor} is "
                    f"{after.cursors.get(key)}"
                )

    # Ownership.

    def asked(self, session: SessionId, before: Head, answer: Owned | Busy) -> None:
        """Check that a run is owned only if nobody else has any of it, and busy only then."""
        holders = {before.header.owner, *(it.session for it in before.cursors.values())}
        others = holders - {None, session}
        if isinstance(answer, Owned):
            self.counts["owned"] += 1
            if others:
                raise self._violate(
                    f"{before.header.instance_id} was given to {session} as its owner, while "
                    f"others hold it: {others}"
                )
        elif not others:
            raise self._violate(f"{before.header.instance_id} is called busy, and nobody holds it")

    def claimed_owned(
        self, session: SessionId, run: RunKey, claims: Sequence[Claim], before: Head, now: datetime
    ) -> None:
        """Check that an owner is given what is due of its own run."""
        header = before.header
        for claim in claims:
            cursor = before.cursors[claim.lease.key]
            is_its_own = (header.owner, header.run_id) == (session, run.run_id)
            if not is_its_own or not cursor.claimable(now):
                raise self._violate(
                    f"law 4: {claim.lease} was given, but cannot be claimed by an owner: {cursor}"
                )

    def disowned(
        self, session: SessionId, run: RunKey, before: Head | None, after: Head | None
    ) -> None:
        """Check that an end of ownership gives back all of that run, and nothing of another."""
        if before is None or after is None:
            return
        if (before.header.owner, before.header.run_id) != (session, run.run_id):
            if before != after:
                raise self._violate(f"{session} gave back what it does not own: {before.header}")
            return
        left = [c for c in after.cursors.values() if c.session == session]
        if after.header.owner is not None or left:
            raise self._violate(f"{session} gave back {run}, and still holds of it: {after}")
