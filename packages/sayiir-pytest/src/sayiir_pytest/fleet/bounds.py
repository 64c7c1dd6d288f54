"""The laws of liveness: how long anything may take once nothing goes wrong any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.head import Cursor, Head, InstanceState, Lane
from sayiir_pytest.fleet.keeper import TTL
from sayiir_pytest.fleet.watch import Violation
from sayiir_pytest.fleet.worker import VirtualWorker

_TTL: Final = TTL.total_seconds()
_DUE_SECONDS: Final = 15.0
_UNKNOWN_SECONDS: Final = 1.5 * _TTL
_DEAD_SECONDS: Final = 3 * _TTL
_UNCLEAR_SECONDS: Final = 1.5 * _TTL


class Bounds:
    """Since when something has been as it must not stay; a death starts all waits anew."""

    def __init__(self) -> None:
        self._since: dict[object, float] = {}

    def reset(self) -> None:
        """Forget all waits, because something went wrong."""
        self._since.clear()

    def check(
        self,
        heads: Iterable[Head],
        workers: Collection[VirtualWorker],
        now: datetime,
        moment: float,
    ) -> None:
        """Check everything that waits; ``moment`` is ``now`` in seconds of the story."""
        since: dict[object, float] = {}
        seen = self._seen(heads, workers, now)
        for what, bound in seen.items():
            since[what] = self._since.get(what, moment)
            if moment - since[what] > bound:
                raise Violation(f"for {moment - since[what]:.0f} s {what}")
        self._since = since

    def _seen(
        self, heads: Iterable[Head], workers: Collection[VirtualWorker], now: datetime
    ) -> dict[object, float]:
        able = [worker for worker in workers if worker.is_able]
        free = {lane for it in able if it.desk.quota() for lane in it.desk.serving.lanes}
        sessions = {worker.session: worker for worker in workers}
        seen: dict[object, float] = {}
        for head in heads:
            if head.header.state is not InstanceState.RUNNING:
                continue
            for cursor in head.cursors.values():
                found = _fault(head, cursor, now, free, sessions)
                if found is not None:
                    what, bound = found
                    where = f"{head.header.instance_id} at {cursor.key}, {cursor.node}"
                    seen[f"{what}: {where}, fence {cursor.fence}"] = bound
        for worker in able:
            for step in worker.unclear:
                seen[f"nobody asks again for the answer to {step}"] = _UNCLEAR_SECONDS
        return seen


def _fault(
    head: Head,
    cursor: Cursor,
    now: datetime,
    free: Collection[Lane],
    sessions: dict[SessionId | None, VirtualWorker],
) -> tuple[str, float] | None:
    if cursor.session is None:
        is_free = Lane(head.header.identity, cursor.group) in free
        is_wanted = is_free and cursor.claimable(now) and head.header.owner is None
        return ("it is due and nobody takes it", _DUE_SECONDS) if is_wanted else None
    worker = sessions.get(cursor.session)
    if worker is None:
        return "it is held by a session of the dead", _DEAD_SECONDS
    if not worker.is_able:
        return None
    held = {(it.run_id, it.key, it.fence) for it in worker.desk.leases()}
    if (head.header.run_id, cursor.key, cursor.fence) in held:
        return None
    return "it is held by a worker that does not know", _UNKNOWN_SECONDS
