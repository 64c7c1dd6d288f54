"""Hand out and take back cursors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Decision, Documents
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.held import release_held
from sayiir_core.keyvalue.hint import HintTarget
from sayiir_core.keyvalue.queue import due_hints, hints_by_due
from sayiir_core.keyvalue.record import Records
from sayiir_core.keyvalue.session import require_live, serving
from sayiir_core.ports.claims import Backlog
from sayiir_core.ports.clock import Clock
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.avoidance import Avoidance
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Head, Lane
from sayiir_core.snapshot.motion import grant
from sayiir_core.snapshot.reference import InputRef, SignalRef, StepRef

_INPUT_LIMIT: Final = 64 * 1024
_INPUTS_LIMIT: Final = 4 * 1024 * 1024

_STALE: Final = object()
"""The answer that a hint is not needed and never will be."""


class KeyValueClaims:
    """The claim port over documents and queue hints."""

    __slots__ = ("_clock", "_documents", "_records", "aging_interval")

    def __init__(
        self, documents: Documents, records: Records, clock: Clock, aging_interval: timedelta
    ) -> None:
        self._documents = documents
        self._records = records
        self._clock = clock
        self.aging_interval = aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, best first."""
        store = self._documents.store
        require_live(store, session)
        now = self._clock.now()
        claims: list[Claim] = []
        avoidance = Avoidance(session, lambda: serving(store))
        hints = due_hints(store, lanes, now=now, aging_interval=self.aging_interval)
        for _, place, target, lane in hints if limit > 0 else ():
            if target.avoids(session, now) and avoidance.passes_over(lane, session):
                continue
            decide = partial(_claim, place, target, session, claim_no, now)
            outcome = self._documents.change(target.instance_id, decide)
            if isinstance(outcome, Claim):
                claims.append(outcome)
            elif outcome is _STALE:
                store.delete(place)
            if len(claims) >= limit:
                break
        self.fill_inputs(claims)
        return claims

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first cursor of these lanes that nobody holds is due."""
        for due, place, target, _ in hints_by_due(self._documents.store, lanes):
            document = self._documents.read(target.instance_id)
            if document.queued.get(target.cursor) == place:
                return due
        return None

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return what waits now in each of these lanes."""
        now = self._clock.now()
        return [self._backlog(lane, now, at_most) for lane in set(lanes)]

    def _backlog(self, lane: Lane, now: datetime, at_most: int) -> Backlog:
        ready, oldest = 0, None
        for due, place, target, _ in hints_by_due(self._documents.store, [lane]):
            if due > now or ready >= at_most:
                break
            if self._documents.read(target.instance_id).queued.get(target.cursor) == place:
                ready += 1
                oldest = oldest or due
        return Backlog(lane, ready, oldest)

    def fill_inputs(self, claims: Sequence[Claim]) -> None:
        """Give claims the small payloads that their inputs name."""
        room = _INPUTS_LIMIT
        for claim in claims:
            leaf, lease = claim.cursor.input, claim.lease
            if not isinstance(leaf, InputRef | StepRef | SignalRef):
                continue
            document = self._documents.read(lease.instance_id)
            payload = self._records.payload(document, lease.instance_id, lease.run_id, leaf)
            if payload is not None and len(payload) <= min(_INPUT_LIMIT, room):
                room -= len(payload)
                claim.inputs[leaf] = payload

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back what one claim call took and the session still holds."""

        def is_of_call(_: Head, cursor: Cursor) -> bool:
            return cursor.claim_no == claim_no

        release_held(self._documents, session, is_of_call)

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors; a lease that is no longer held is skipped."""
        for lease in leases:
            self._documents.change(lease.instance_id, partial(_release, lease))


def _claim(
    place: str,
    target: HintTarget,
    session: SessionId,
    claim_no: int,
    now: datetime,
    document: InstanceDocument,
) -> Decision[object]:
    if document.queued.get(target.cursor) != place:
        decided = key.revision_of_queue(place) <= document.revision
        return Decision(_STALE if decided else None, write=False)
    assert document.head is not None
    cursor = document.head.cursors[target.cursor]
    if not cursor.claimable(now):
        return Decision(None, write=False)
    return Decision(grant(document.head, cursor, session, claim_no))


def _release(lease: Lease, document: InstanceDocument) -> Decision[None]:
    head = document.head
    cursor = head.cursors.get(lease.key) if head is not None else None
    if head is None or cursor is None or head.header.run_id != lease.run_id:
        return Decision(None, write=False)
    if cursor.session != lease.session or cursor.fence != lease.fence:
        return Decision(None, write=False)
    cursor.session = cursor.started_at = None
    return Decision(None)
