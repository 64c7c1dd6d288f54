"""Claiming from several stores: from each in turn, or the best of all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.errors import BackendError, SessionEndedError
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Lane
from tests.prototypes.sharded.place import RunPlaces
from tests.prototypes.sharded.sessions import ShardedSessions
from tests.prototypes.sharded.shard import Shard, Shards

MOST_BYTES: Final = 4 * 1024 * 1024


class ShardedClaims:
    """Hand out cursors of all shards.

    Each call begins at another shard and goes on to the next for what the ones before have left of
    the limit. So the order of the queue holds within a shard, and what one call gives is in order;
    what is best of all shards may wait for the turn of its shard. With ``best_of_all`` every shard is
    asked for as much as is wanted, and what is too much is given back: the order of one store, for as
    many times the work as there are shards.
    """

    def __init__(
        self, shards: Shards, places: RunPlaces, sessions: ShardedSessions, *, best_of_all: bool
    ) -> None:
        self._shards = shards
        self._places = places
        self._sessions = sessions
        self._best_of_all = best_of_all
        self._turn = itertools.count()

    @property
    def aging_interval(self) -> timedelta:
        """Return that of the first shard; they must agree."""
        return self._shards.all[0].backend.claims.aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim from shard to shard; what one did not answer is owed its release."""
        claims: list[Claim] = []
        answered = False
        for shard in self._in_turn():
            wanted = limit if self._best_of_all else limit - len(claims)
            if answered and wanted <= 0:
                break
            try:
                claims += self._from(shard, session, claim_no, lanes, wanted)
                answered = True
            except SessionEndedError:
                self._sessions.end_everywhere(session)
                raise
            except BackendError as error:
                if not error.transient:
                    raise
        if not answered:
            raise self._shards.outage()
        claims.sort(key=self._rank)
        if len(claims) > limit:
            self.release([claim.lease for claim in claims[limit:]])
            del claims[limit:]
        for claim in claims:
            self._places.note(claim.lease.instance_id, claim.lease.run_id)
        return _within_bytes(claims)

    def _in_turn(self) -> list[Shard]:
        first = next(self._turn) % len(self._shards.all)
        return self._shards.all[first:] + self._shards.all[:first]

    def _from(
        self, shard: Shard, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        was_down = shard.is_down
        try:
            return self._shards.ask(
                shard, lambda backend: backend.claims.claim(session, claim_no, lanes, limit)
            )
        except BackendError as error:
            if error.transient and not was_down:
                shard.owe(lambda backend: backend.claims.release_claim(session, claim_no))
            raise

    def _rank(self, claim: Claim) -> datetime:
        cursor = claim.cursor
        assert cursor.available_at is not None, "what is claimed was due"
        return cursor.available_at + cursor.priority * self.aging_interval

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return the first instant at which anything is due in a shard that answers."""
        answers = self._shards.each(lambda backend: backend.claims.next_due(lanes))
        return min((due for due in answers.values() if due is not None), default=None)

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return the sums of the shards that answer."""
        answers = self._shards.each(lambda backend: backend.claims.backlog(lanes, at_most=at_most))
        found: dict[Lane, list[Backlog]] = {}
        for backlog in itertools.chain.from_iterable(answers.values()):
            found.setdefault(backlog.lane, []).append(backlog)
        return [
            Backlog(
                lane,
                min(at_most, sum(part.ready for part in parts)),
                min((part.oldest for part in parts if part.oldest is not None), default=None),
            )
            for lane, parts in found.items()
        ]

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back whatever a call claimed; a shard that does not answer is owed it."""
        self._shards.each(
            lambda backend: backend.claims.release_claim(session, claim_no), owed=True
        )

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors; a shard that does not answer is owed it."""
        for shard, places in self._shards.split(leases, lambda it: it.instance_id).items():
            give_back = _releasing([leases[place] for place in places])
            try:
                self._shards.ask(shard, give_back)
            except BackendError as error:
                if not error.transient or self._shards.all_down():
                    raise
                shard.owe(give_back)


def _within_bytes(claims: list[Claim]) -> list[Claim]:
    """Leave out the inputs beyond what one answer may carry: each shard has filled its own."""
    left = MOST_BYTES
    for claim in claims:
        left -= sum(len(payload) for payload in claim.inputs.values())
        if left < 0:
            claim.inputs.clear()
    return claims


def _releasing(leases: Sequence[Lease]) -> Callable[[Backend], None]:
    return lambda backend: backend.claims.release(leases)
