"""Give whole instances to runners, in memory."""

from __future__ import annotations

from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_runtime.memory.row import copy_head
from sayiir_runtime.memory.store import Store


class MemoryOwnership:
    """The ownership port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take the instance unless another session holds any of it."""
        store = self._store
        with store.lock:
            run = store.run(instance_id)
            store.live_session(session)
            holder = control.own(run.head, session)
            if holder is not None:
                return Busy(copy_head(run.head), store.sessions[holder].view())
            store.reindex(run)
            return Owned(copy_head(run.head))

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of an owned run, the longest due first."""
        store = self._store
        with store.lock:
            owned = store.run_named(run)
            if owned is None:
                return []
            due = control.due_for_owner(owned.head, session, store.clock.now())[:limit]
            tickets = [owned.tickets[cursor.key] for cursor in due]
            return store.claim(tickets, session, claim_no)

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership of a run and give back every cursor that it holds."""
        store = self._store
        with store.turn:
            owned = store.run_named(run)
            if owned is not None:
                if owned.head.header.owner == session:
                    # Also for what is due later: no pool has looked at when that will be.
                    store.hints.claimable.note()
                control.disown(owned.head, session)
                store.reindex(owned)
