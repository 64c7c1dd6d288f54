"""Becoming the owner of an instance, and giving it back.

How this works: to the store an ownership belongs to a session, which all calls of a process share.
So a call first enters the list of what this process drives, and only then asks the store: the
other way round another call could give away, as its own, what this one was just granted.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from sayiir_core.errors import BackendError, InstanceBusyError, SessionEndedError
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.ports.sessions import SessionView
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_runtime.runner.lease import SessionKeeper

logger = logging.getLogger("sayiir.runner")

_POLL_SECONDS: Final = 0.1
_LEAVING_SECONDS: Final = 5.0


class Ownerships:
    """The ownerships that a runner takes; ``stopped`` ends its waiting for others."""

    def __init__(self, backend: Backend, keeper: SessionKeeper) -> None:
        self._backend = backend
        self._keeper = keeper
        self.stopped = False

    def take(self, head: Head, limit: float | None) -> tuple[SessionId, Head]:
        """Become the owner, waiting out a lease that nobody renews; ``give_back`` undoes it.

        ``limit`` bounds the waiting, in seconds. The holder of a run that rests is about to leave
        and is waited for. Raises ``InstanceBusyError`` if another call or live process runs it.
        """
        at_rest = head.header.state is not InstanceState.RUNNING and not head.executing
        until = time.monotonic() + (_LEAVING_SECONDS if at_rest else 0.0)
        while True:
            run_id, instance_id = head.header.run_id, head.header.instance_id
            while not self._keeper.drives.enter(instance_id, run_id):
                if self.stopped or time.monotonic() >= until:
                    ours = self._backend.sessions.view(self._keeper.session())
                    raise self._busy(instance_id, ours)
                time.sleep(_POLL_SECONDS)
            try:
                session, owned = self._ask(instance_id, limit, until)
            except BaseException:
                self._keeper.drives.leave(instance_id, run_id)
                raise
            if owned.header.run_id == run_id:
                self._clear(owned, session)
                return session, owned
            self._keeper.drives.leave(instance_id, run_id)
            head = owned

    def give_back(self, head: Head, session: SessionId) -> None:
        """End an ownership, at once or as soon as the store can be reached again."""
        instance_id = head.header.instance_id
        self._keeper.drives.leave(
            instance_id, head.header.run_id, lambda: self._disown(session, instance_id)
        )

    def _clear(self, owned: Head, session: SessionId) -> None:
        """Release what an earlier call of this process, cut off from the store, has left."""
        try:
            if any(cursor.session == session for cursor in owned.cursors.values()):
                instance_id, sessions = owned.header.instance_id, self._backend.sessions
                self._keeper.drives.alone(
                    instance_id,
                    owned.header.run_id,
                    lambda: sessions.reconcile(session, [], instance_id),
                )
        except BaseException:
            self.give_back(owned, session)
            raise

    def _ask(
        self, instance_id: InstanceId, limit: float | None, until: float
    ) -> tuple[SessionId, Head]:
        started = time.monotonic()
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
            now = time.monotonic()
            if now >= until:
                ended = self.stopped or (limit is not None and now - started >= limit)
                if ended or _is_alive(answer, first):
                    raise self._busy(instance_id, answer.holder)
                if first is None:
                    busy = self._busy(instance_id, answer.holder)
                    logger.warning("%s; waiting for its lease to expire", busy)
                    first = answer
            time.sleep(_POLL_SECONDS)

    def _busy(self, instance_id: InstanceId, holder: SessionView | None) -> InstanceBusyError:
        assert holder is not None, "a session that owns an instance is known"
        age = (self._backend.now() - holder.renewed_at).total_seconds()
        return InstanceBusyError(
            instance_id,
            holder=f"{holder.worker_id} (process {holder.pid}, session {holder.session_id})",
            host=holder.host,
            lease_age_seconds=max(0.0, age),
        )

    def _disown(self, session: SessionId, instance_id: InstanceId) -> None:
        try:
            self._backend.ownership.disown(session, instance_id)
        except BackendError as error:
            logger.warning("instance %s is given back later: %s", instance_id, error)
            self._keeper.disown_later(instance_id)


def _is_alive(busy: Busy, first: Busy | None) -> bool:
    holder = busy.holder
    return holder.proved_alive or (
        first is not None
        and (
            first.holder.session_id != holder.session_id
            or first.holder.renewed_at != holder.renewed_at
        )
    )
