"""Bugs with whole instances; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from broken_stores.making import Broken
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_pytest.conformance import EquivalenceConformance, OwnershipConformance
from sayiir_runtime.memory.ownership import MemoryOwnership
from sayiir_runtime.memory.store import Store


class BrokenOwnership(Broken):
    """Break the ownership port."""

    port = "ownership"


def latest(store: Store, run: RunKey) -> RunKey:
    """Return the key of the run that the instance has now, whichever was meant."""
    known = store.runs.get(run.instance_id)
    return run if known is None else RunKey(run.instance_id, known.head.header.run_id)


class DisownsByInstance(MemoryOwnership):
    """Give up whatever run the instance has now."""

    def disown(self, session: SessionId, run: RunKey) -> None:
        super().disown(session, latest(self._store, run))


class TestDisownsByInstance(BrokenOwnership, OwnershipConformance):
    broken = DisownsByInstance


class TestDisownsByInstanceInGeneral(BrokenOwnership, EquivalenceConformance):
    broken = DisownsByInstance


class ClaimsByInstance(MemoryOwnership):
    """Claim of whatever run the instance has now."""

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        return super().claim_owned(session, claim_no, latest(self._store, run), limit)


class TestClaimsByInstance(BrokenOwnership, OwnershipConformance):
    broken = ClaimsByInstance
