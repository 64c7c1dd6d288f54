"""Bugs at a claim; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

from broken_stores.making import Broken
from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.conformance import (
    ClaimConformance,
    EquivalenceConformance,
    OwnershipConformance,
    RaceConformance,
)
from sayiir_runtime.memory.claims import MemoryClaims


class BrokenClaims(Broken):
    """Break the claim port."""

    port = "claims"


class SwallowsAnError(MemoryClaims):
    """Answer an ended session as if there were nothing to do."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        with suppress(BackendError):
            return super().claim(session, claim_no, lanes, limit)
        return []


class TestSwallowsAnError(BrokenClaims, ClaimConformance):
    broken = SwallowsAnError


class DecidesOnAStaleRead(MemoryClaims):
    """Choose the cursors first, and take them later without looking again."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._meeting = Barrier(2)

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        store = self._store
        with store.lock:
            tickets = store.queue.take(lanes, limit, store.clock.now())
            for ticket in tickets:
                store.refresh(ticket)
        # Whoever else reads in the meantime chooses the same.
        with suppress(BrokenBarrierError):
            self._meeting.wait(timeout=0.05)
        self._meeting.reset()
        with store.lock:
            return store.claim(tickets, session, claim_no)


class TestDecidesOnAStaleRead(BrokenClaims, RaceConformance):
    broken = DecidesOnAStaleRead


class GivesAnOwnedCursorToAPool(MemoryClaims):
    """Look for due cursors without a look at the owner."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        claims = super().claim(session, claim_no, lanes, limit)
        now = self._store.clock.now()
        for run in self._store.runs.values():
            owned = run.head.header.owner is not None
            due = [it for it in run.tickets.values() if owned and it.cursor.claimable(now)]
            claims.extend(self._store.claim(due[: limit - len(claims)], session, claim_no))
        return claims


class TestGivesAnOwnedCursorToAPool(BrokenClaims, OwnershipConformance):
    broken = GivesAnOwnedCursorToAPool


class TestGivesAnOwnedCursorToAPoolInGeneral(BrokenClaims, EquivalenceConformance):
    broken = GivesAnOwnedCursorToAPool


class IgnoresPriorities(MemoryClaims):
    """Take the due cursors in any order."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        everything = super().claim(session, claim_no, lanes, 1000)[::-1]
        self.release([claim.lease for claim in everything[limit:]])
        return everything[:limit]


class TestIgnoresPriorities(BrokenClaims, ClaimConformance):
    broken = IgnoresPriorities


class ReleasesWhatOthersHold(MemoryClaims):
    """Release by cursor, not by lease."""

    def release(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            run = self._store.runs.get(lease.instance_id)
            if run is not None and lease.key in run.tickets:
                self._store.release(run.tickets[lease.key])


class TestReleasesWhatOthersHold(BrokenClaims, ClaimConformance):
    broken = ReleasesWhatOthersHold
