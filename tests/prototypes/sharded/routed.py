"""The ports whose calls name an instance: each goes to the shard of that instance."""

from __future__ import annotations

from collections.abc import Sequence

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.checkpoints import PartlyAnsweredError
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot.answer import Answer, Claim
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_core.snapshot.head import Head, PendingSignal
from tests.prototypes.sharded.place import RunPlaces
from tests.prototypes.sharded.shard import Shards


class ShardedCheckpoints:
    """Write each checkpoint to the shard of its instance."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit shard by shard; raises ``PartlyAnsweredError`` where some shard answers."""
        answers: list[Answer | None] = [None] * len(batch)
        outage: BackendError | None = None
        for shard, places in self._shards.split(batch, lambda it: it.lease.instance_id).items():
            part = [batch[place] for place in places]
            try:
                found = self._shards.ask(shard, lambda it, part=part: it.checkpoints.commit(part))
            except BackendError as error:
                if not error.transient:
                    raise
                outage = error
            else:
                for place, answer in zip(places, found, strict=True):
                    answers[place] = answer
        if outage is None:
            return [answer for answer in answers if answer is not None]
        if self._shards.all_down():
            raise outage
        raise PartlyAnsweredError(str(outage), answers)


class RoutedOwnership:
    """Own instances where they stand."""

    def __init__(self, shards: Shards, places: RunPlaces) -> None:
        self._shards = shards
        self._places = places

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take the instance."""
        shard = self._shards.of(instance_id)
        answer = shard.call(lambda backend: backend.ownership.own(session, instance_id))
        self._places.note(instance_id, answer.head.header.run_id)
        return answer

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of a run."""
        shard = self._shards.of(run.instance_id)
        return shard.call(
            lambda backend: backend.ownership.claim_owned(session, claim_no, run, limit)
        )

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership."""
        self._shards.of(run.instance_id).call(
            lambda backend: backend.ownership.disown(session, run)
        )


class RoutedSignals:
    """Send signals to where their instance stands, or will stand."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Deliver or keep a signal."""
        shard = self._shards.of(instance_id)
        return shard.call(lambda backend: backend.signals.send(instance_id, name, payload))

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed."""
        shard = self._shards.of(instance_id)
        return shard.call(lambda backend: backend.signals.pending(instance_id))

    def expire(self, *, received_before: object, limit: int) -> int:
        """Remove what has expired, shard by shard."""
        return self._shards.up_to(
            limit,
            lambda backend, left: backend.signals.expire(
                received_before=received_before, limit=left
            ),
        )


class RoutedControl:
    """Obey requests where the instance stands."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel for good."""
        shard = self._shards.of(instance_id)
        return shard.call(lambda it: it.control.cancel(instance_id, reason=reason, by=by))

    def pause(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Hold everything."""
        shard = self._shards.of(instance_id)
        return shard.call(lambda it: it.control.pause(instance_id, reason=reason, by=by))

    def unpause(self, instance_id: InstanceId) -> Head:
        """Release what a pause held."""
        return self._shards.of(instance_id).call(lambda it: it.control.unpause(instance_id))

    def retry(self, instance_id: InstanceId) -> Head:
        """Revive a failed instance."""
        return self._shards.of(instance_id).call(lambda it: it.control.retry(instance_id))
