"""The laws of liveness: how long anything may take once nothing goes wrong any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from sayiir_core.ids import RunKey, SessionId
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Head, InstanceState, Lane
from sayiir_pytest.fleet.keeper import TTL
from sayiir_pytest.fleet.runner import VirtualRunner
from sayiir_pytest.fleet.watch import Violation
from sayiir_pytest.fleet.worker import VirtualWorker

_TTL: Final = TTL.total_seconds()
_DUE_SECONDS: Final = 15.0
_UNKNOWN_SECONDS: Final = 1.5 * _TTL
_DEAD_SECONDS: Final = 3 * _TTL
_UNCLEAR_SECONDS: Final = 1.5 * _TTL
# As long as the longest body, and some more.
_LEAK_SECONDS: Final = 2.5 * _TTL
_OWNED_SECONDS: Final = 2.5 * _TTL
_OVERDUE_SECONDS: Final = 10.0

Sessions = dict[SessionId | None, VirtualWorker | VirtualRunner]


class Bounds:
    """Since when something has been as it must not stay; a death starts all waits anew.

    ``slow_seconds`` is how long a call or an answer may be on its way: whoever awaits an answer
    takes nothing meanwhile.
    """

    def __init__(self, slow_seconds: float) -> None:
        self._due = max(_DUE_SECONDS, 3 * slow_seconds)
        self._since: dict[object, float] = {}

    def reset(self) -> None:
        """Forget all waits, because something went wrong."""
        self._since.clear()

    def check(
        self,
        heads: Iterable[Head],
        workers: Collection[VirtualWorker],
        runners: Collection[VirtualRunner],
        now: datetime,
        moment: float,
    ) -> None:
        """Check everything that waits; ``moment`` is ``now`` in seconds of the story."""
        since: dict[object, float] = {}
        seen = self._seen(list(heads), workers, runners, now)
        for what, bound in seen.items():
            since[what] = self._since.get(what, moment)
            if moment - since[what] > bound:
                raise Violation(f"for {moment - since[what]:.0f} s {what}")
        self._since = since

    def _seen(
        self,
        heads: Collection[Head],
        workers: Collection[VirtualWorker],
        runners: Collection[VirtualRunner],
        now: datetime,
    ) -> dict[object, float]:
        able = [worker for worker in workers if worker.process.is_able]
        free = {lane for it in able if it.desk.quota() for lane in it.desk.serving.lanes}
        sessions: Sessions = {worker.session: worker for worker in workers}
        sessions |= {runner.session: runner for runner in runners}
        seen: dict[object, float] = {}
        for head in heads:
            if head.header.state is not InstanceState.RUNNING:
                continue
            for cursor in head.cursors.values():
                found = _fault(head, cursor, now, free, sessions, self._due)
                if found is not None:
                    what, bound = found
                    where = f"{head.header.instance_id} at {cursor.key}, {cursor.node}"
                    seen[f"{what}: {where}, fence {cursor.fence}"] = bound
        stored = {head.header.run_id: head for head in heads}
        for worker in able:
            for step in worker.unclear:
                seen[f"nobody asks again for the answer to {step}"] = _UNCLEAR_SECONDS
            for lease in worker.desk.leases():
                if not _is_held(stored.get(lease.run_id), lease):
                    seen[f"a place is taken by what is not held: {lease}"] = _LEAK_SECONDS
            for step in worker.overdue():
                seen[f"it runs on after its timeout: {step}"] = _OVERDUE_SECONDS
        return seen


def _is_held(head: Head | None, lease: Lease) -> bool:
    cursor = None if head is None else head.cursors.get(lease.key)
    return cursor is not None and (cursor.session, cursor.fence) == (lease.session, lease.fence)


def _fault(
    head: Head,
    cursor: Cursor,
    now: datetime,
    free: Collection[Lane],
    sessions: Sessions,
    due: float,
) -> tuple[str, float] | None:
    if head.header.owner is not None:
        return _fault_of_owner(head, cursor, now, sessions.get(head.header.owner))
    if cursor.session is None:
        is_free = Lane(head.header.identity, cursor.group) in free
        is_wanted = is_free and cursor.claimable(now)
        return ("it is due and nobody takes it", due) if is_wanted else None
    holder = sessions.get(cursor.session)
    if holder is None:
        return "it is held by a session of the dead", _DEAD_SECONDS
    if not holder.process.is_able:
        return None
    if isinstance(holder, VirtualRunner):
        return "it is held by a runner that does not own it", _UNKNOWN_SECONDS
    held = {(it.run_id, it.key, it.fence) for it in holder.desk.leases()}
    if (head.header.run_id, cursor.key, cursor.fence) in held:
        return None
    return "it is held by a worker that does not know", _UNKNOWN_SECONDS


def _fault_of_owner(
    head: Head, cursor: Cursor, now: datetime, owner: VirtualWorker | VirtualRunner | None
) -> tuple[str, float] | None:
    if owner is None:
        return "it is owned by a session of the dead", _DEAD_SECONDS
    if not isinstance(owner, VirtualRunner) or not owner.process.is_able:
        return None
    if not owner.drives(RunKey(head.header.instance_id, head.header.run_id)):
        return "it is owned by a runner that does not drive it", _UNKNOWN_SECONDS
    return (
        ("it is due and its owner does not take it", _OWNED_SECONDS)
        if cursor.claimable(now)
        else None
    )
