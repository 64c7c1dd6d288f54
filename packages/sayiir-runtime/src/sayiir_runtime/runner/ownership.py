"""Becoming the owner of an instance, and giving it back.

How this works: to the store an ownership belongs to a session, which all calls of a process share.
So a call first enters the list of what this process drives, and only then asks the store; and it
gives the run back before it leaves the list. Otherwise a call that ends could give away, as its
own, what another was just granted.
"""

from __future__ import annotations

import logging
from typing import Final

from sayiir_core.errors import BackendError, InstanceBusyError, SessionEndedError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.ports.sessions import SessionView
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_runtime.runner.lease import SessionKeeper
from sayiir_runtime.runner.waiting import REAL, Waiting

logger = logging.getLogger("sayiir.runner")

_POLL_SECONDS: Final = 0.1
_ENDING_POLL_SECONDS: Final = 0.005
_LEAVING_SECONDS: Final = 5.0


class Ownerships:
    """The ownerships that a runner takes; ``stopped`` ends its waiting for others."""

    def __init__(self, backend: Backend, keeper: SessionKeeper, *, waiting: Waiting = REAL) -> None:
        self._backend = backend
        self._keeper = keeper
        self._waiting = waiting
        self.stopped = False

    def take(self, head: Head, limit: float | None) -> tuple[SessionId, Head]:
        """Become the owner, waiting out a lease that nobody renews; ``give_back`` undoes it.

        ``limit`` bounds the waiting, in seconds. The holder of a run that rests is about to leave
        and is waited for. Raises ``InstanceBusyError`` if another call or live process runs it.
        """
        at_rest = head.header.state is not InstanceState.RUNNING and not head.executing
        until = self._waiting.monotonic() + (_LEAVING_SECONDS if at_rest else 0.0)
        while True:
            run = run_key(head)
            self._enter(run, until)
            try:
                session, owned = self._ask(run.instance_id, limit, until)
            except InstanceBusyError:
                self._keeper.drives.leave(run)
                raise
            except BaseException:
                self.abandon(run)
                raise
            if owned.header.run_id == run.run_id:
                self._clear(owned, session)
                return session, owned
            # The session owns it now, and this call does not drive it: the next turn does.
            self._keeper.drives.leave(run)
            head = owned

    def give_back(self, run: RunKey, session: SessionId) -> None:
        """End an ownership, at once or as soon as the store can be reached again."""
        drives = self._keeper.drives
        drives.end(run)
        try:
            self._backend.ownership.disown(session, run)
        except BackendError as error:
            logger.warning("instance %s is given back later: %s", run.instance_id, error)
            self._keeper.disown_later(run)
        finally:
            drives.leave(run)

    def abandon(self, run: RunKey) -> None:
        """Leave a run of which it is not known whether the store has given it to this call."""
        self._keeper.disown_later(run)
        self._keeper.drives.leave(run)

    def _enter(self, run: RunKey, until: float) -> None:
        drives = self._keeper.drives
        while not drives.enter(run):
            is_ending = drives.is_ending(run)
            if self.stopped or not (is_ending or self._waiting.monotonic() < until):
                raise self._busy(
                    run.instance_id, self._backend.sessions.view(self._keeper.session())
                )
            self._waiting.sleep(_ENDING_POLL_SECONDS if is_ending else _POLL_SECONDS)

    def _clear(self, owned: Head, session: SessionId) -> None:
        """Release what an earlier call of this process, cut off from the store, has left."""
        run = run_key(owned)
        try:
            if any(cursor.session == session for cursor in owned.cursors.values()):
                self._backend.sessions.reconcile(session, [], run)
        except BaseException:
            self.give_back(run, session)
            raise

    def _ask(
        self, instance_id: InstanceId, limit: float | None, until: float
    ) -> tuple[SessionId, Head]:
        started = self._waiting.monotonic()
        first: Busy | None = None
        while True:
            session = self._keeper.session()
            try:
                answer = self._backend.ownership.own(session, instance_id)
            except SessionEndedError:
                self._keeper.lost(session)
                continue
            if isinstance(answer, Owned):
                return session, answer.head
            if self._backend.sessions.reap(session):
                continue
            now = self._waiting.monotonic()
            if now >= until:
                ended = self.stopped or (limit is not None and now - started >= limit)
                # In a store of this process alone nobody renews, and every holder is of it.
                is_here = not self._backend.capabilities.shared
                if ended or is_here or _is_alive(answer, first):
                    raise self._busy(instance_id, answer.holder)
                if first is None:
                    busy = self._busy(instance_id, answer.holder)
                    logger.warning("%s; waiting for its lease to expire", busy)
                    first = answer
            self._waiting.sleep(_POLL_SECONDS)

    def _busy(self, instance_id: InstanceId, holder: SessionView | None) -> InstanceBusyError:
        assert holder is not None, "a session that owns an instance is known"
        age = (self._backend.now() - holder.renewed_at).total_seconds()
        return InstanceBusyError(
            instance_id,
            holder=f"{holder.worker_id} (process {holder.pid}, session {holder.session_id})",
            host=holder.host,
            lease_age_seconds=max(0.0, age),
        )


def run_key(head: Head) -> RunKey:
    """Return the name of the run that a head belongs to."""
    return RunKey(head.header.instance_id, head.header.run_id)


def _is_alive(busy: Busy, first: Busy | None) -> bool:
    holder = busy.holder
    return holder.proved_alive or (
        first is not None
        and (
            first.holder.session_id != holder.session_id
            or first.holder.renewed_at != holder.renewed_at
        )
    )
