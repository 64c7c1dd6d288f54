"""Bugs with what a claim leaves to others; the names of the ports' methods say what they do."""

# ruff: noqa: ARG002, D102

from __future__ import annotations

from collections.abc import Collection, Iterable

from broken_stores.claims import BrokenClaims
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.avoidance import Avoidance
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.conformance import ClaimConformance, EquivalenceConformance
from sayiir_runtime.memory.claims import MemoryClaims


class NeverAvoids(MemoryClaims):
    """Give a failed attempt to whoever comes first."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        store = self._store
        with store.lock:
            store.live_session(session)
            tickets = store.queue.take(lanes, limit, store.clock.now())
            return store.claim(tickets, session, claim_no)


class TestNeverAvoids(BrokenClaims, ClaimConformance):
    broken = NeverAvoids


class TestNeverAvoidsInGeneral(BrokenClaims, EquivalenceConformance):
    broken = NeverAvoids


class AvoidsWhateverOthersServe(MemoryClaims):
    """Leave a failed attempt to others without asking who they are."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        store = self._store
        with store.lock:
            store.live_session(session)
            avoidance = Avoidance(session, lambda: self.others(lanes))
            tickets = store.queue.take(lanes, limit, store.clock.now(), avoidance)
            return store.claim(tickets, session, claim_no)

    def others(self, lanes: Collection[Lane]) -> Iterable[tuple[SessionId, Collection[Lane]]]:
        """Return who else is believed to serve which lanes."""
        return [(SessionId("somebody"), lanes)]


class TestAvoidsWhateverOthersServe(BrokenClaims, ClaimConformance):
    broken = AvoidsWhateverOthersServe


class LeavesWorkToTheDead(AvoidsWhateverOthersServe):
    """Count sessions that have ended among those that serve a lane."""

    def others(self, lanes: Collection[Lane]) -> Iterable[tuple[SessionId, Collection[Lane]]]:
        return [(it, known.new.lanes) for it, known in self._store.sessions.items()]


class TestLeavesWorkToTheDead(BrokenClaims, ClaimConformance):
    broken = LeavesWorkToTheDead


class LeavesWorkToWhoServesSomethingElse(AvoidsWhateverOthersServe):
    """Take any other live session for one that serves the lane."""

    def others(self, lanes: Collection[Lane]) -> Iterable[tuple[SessionId, Collection[Lane]]]:
        return [(it, lanes) for it, _ in self._store.serving()]


class TestLeavesWorkToWhoServesSomethingElse(BrokenClaims, ClaimConformance):
    broken = LeavesWorkToWhoServesSomethingElse


class AvoidsForEver(MemoryClaims):
    """Forget that the moment ends."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        claims = super().claim(session, claim_no, lanes, limit)
        mine = [claim for claim in claims if claim.cursor.avoid == session]
        self.release([claim.lease for claim in mine])
        return [claim for claim in claims if claim not in mine]


class TestAvoidsForEver(BrokenClaims, ClaimConformance):
    broken = AvoidsForEver


class LimitsBeforeItAvoids(NeverAvoids):
    """Choose up to the limit first, and only then leave some of them to others."""

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        now = self._store.clock.now()
        claims = super().claim(session, claim_no, lanes, limit)
        left = [claim for claim in claims if claim.cursor.avoids(session, now)]
        self.release([claim.lease for claim in left])
        return [claim for claim in claims if claim not in left]


class TestLimitsBeforeItAvoids(BrokenClaims, ClaimConformance):
    broken = LimitsBeforeItAvoids
