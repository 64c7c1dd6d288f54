"""A claimed cursor in the hand of a test: commit effects without a driver or an engine."""

from __future__ import annotations

from dataclasses import replace

from sayiir_core.ids import Index, InstanceId, RunId, RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.answer import Answer, Claim, Committed
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Effect, Lease
from sayiir_core.snapshot.head import Cursor, CursorKey
from sayiir_core.snapshot.reference import INPUT, Ref


class Hand:
    """Hold one claim and count its commits, as a driver does."""

    def __init__(self, backend: Backend, claim: Claim) -> None:
        """Take a claim that this backend gave."""
        self.backend = backend
        self.claim = claim
        self.seq = claim.cursor.seq

    @property
    def lease(self) -> Lease:
        """Return the constant half of the guard."""
        return self.claim.lease

    @property
    def instance_id(self) -> InstanceId:
        """Return the id of the instance."""
        return self.lease.instance_id

    @property
    def run_id(self) -> RunId:
        """Return the id of the run."""
        return self.lease.run_id

    @property
    def run(self) -> RunKey:
        """Return the key of the run."""
        return RunKey(self.lease.instance_id, self.lease.run_id)

    @property
    def key(self) -> CursorKey:
        """Return the cursor's key."""
        return self.lease.key

    def checkpoint(self, *effects: Effect, keep: bool = True) -> Checkpoint:
        """Return a checkpoint under the current guard, and count nothing."""
        return Checkpoint(self.lease, self.seq, effects, keep)

    def next(self, *effects: Effect, keep: bool = True) -> Checkpoint:
        """Return a checkpoint under the current guard, and expect it to be committed."""
        made = self.checkpoint(*effects, keep=keep)
        self.seq += 1
        return made

    def send(self, checkpoint: Checkpoint) -> Answer:
        """Commit one checkpoint, whatever its guard."""
        return self.backend.checkpoints.commit([checkpoint])[0]

    def commit(self, *effects: Effect, keep: bool = True) -> Answer:
        """Commit effects under the current guard, and count the commit if it held."""
        answer = self.send(self.checkpoint(*effects, keep=keep))
        if isinstance(answer, Committed):
            self.seq += 1
        return answer

    def must(self, *effects: Effect, keep: bool = True) -> Committed:
        """Commit effects; ``AssertionError`` if the guard does not hold."""
        answer = self.commit(*effects, keep=keep)
        assert isinstance(answer, Committed), answer
        return answer

    def arrive(self, value: Ref = INPUT, *, index: Index = (), keep: bool = False) -> Answer:
        """Commit the end of this branch, whose parent walks the root scope."""
        return self.commit(Arrive(value, CursorKey(0, index)), keep=keep)

    def under(
        self,
        *,
        session: SessionId | None = None,
        fence: int | None = None,
        run_id: RunId | None = None,
        seq: int | None = None,
    ) -> Hand:
        """Return another hand on the same cursor under a forged guard."""
        lease = replace(
            self.lease,
            session=self.lease.session if session is None else session,
            fence=self.lease.fence if fence is None else fence,
            run_id=self.lease.run_id if run_id is None else run_id,
        )
        forged = Hand(self.backend, replace(self.claim, lease=lease))
        forged.seq = self.seq if seq is None else seq
        return forged

    def cursor(self) -> Cursor:
        """Return the cursor as it is stored now; ``KeyError`` if it is gone."""
        return self.backend.instances.load(self.instance_id).cursors[self.key]
