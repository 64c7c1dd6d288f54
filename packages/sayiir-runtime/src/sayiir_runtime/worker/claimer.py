"""The thread that claims: it keeps the desk filled, and waits where there is nothing to do.

How this works: it claims whenever the desk has room. A claim that finds nothing is followed by a
look at when something will be due, and a sleep until then, until a hint from the store, or
until it is time to look again anyway: soon where no hints travel, seldom where they do, because a
hint may be lost. A claim without an answer is given back, by its number, until that is answered.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Final

from sayiir_core.errors import BackendError, SessionEndedError
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.wakeup import Subscription
from sayiir_core.snapshot.effect import Lease
from sayiir_runtime.runner.lease import SessionKeeper
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.outage import Outage

logger = logging.getLogger("sayiir.worker")

CLAIM_LIMIT: Final = 500
_SOONEST_SECONDS: Final = 0.01
_LATEST_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 0.5


class Claimer:
    """Claim for one desk.

    ``admitted`` is called when there is something new to run, ``session_lost`` when the store
    calls a session ended, ``gate`` is closed while a commit has an answer outstanding.
    """

    def __init__(
        self,
        desk: Desk,
        backend: Backend,
        keeper: SessionKeeper,
        outage: Outage,
        gate: threading.Lock,
        *,
        poll: timedelta | None,
        admitted: Callable[[], None],
        session_lost: Callable[[SessionId], None],
    ) -> None:
        self._desk = desk
        self._backend = backend
        self._keeper = keeper
        self._outage = outage
        self._gate = gate
        self._poll = None if poll is None else poll.total_seconds()
        self._admitted = admitted
        self._session_lost = session_lost
        self._changed = threading.Condition()
        self._is_hinted = False
        self._is_stopping = False
        self._claim_no = 0
        self._unanswered: list[tuple[SessionId, int]] = []
        self._patience = _SOONEST_SECONDS
        self._reconciled = monotonic()
        self._is_known = False
        self.subscription: Subscription | None = None

    def hint(self) -> None:
        """Look soon, because there may be work, or room for it."""
        with self._changed:
            self._is_hinted = True
            self._changed.notify()

    def stop(self) -> None:
        """Claim nothing more; ``run`` returns when what it owes has been given back once."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Claim until stopped."""
        wakeup = self._backend.wakeup
        self.subscription = None if wakeup is None else wakeup.subscribe(self.hint)
        try:
            while not self._is_stopping:
                self._wait(self._turn())
        finally:
            if self.subscription is not None:
                self.subscription.close()

    def settle(self) -> bool:
        """Give back what must be; False if the store could not be reached."""
        try:
            self._give_back()
        except BackendError as error:
            logger.debug("nothing could be given back: %s", error)
            return False
        return True

    def _turn(self) -> float:
        """Do what there is to do; return how long to wait, in seconds."""
        self._is_hinted = False
        try:
            self._give_back()
            quota = self._desk.quota()
            if quota == 0:
                return _TICK_SECONDS
            seconds = 0.0 if self._claim(quota) else self._until_due()
            self._outage.over()
        except BackendError as error:
            self._outage.wait(error)
            return 0.0
        except Exception:
            logger.exception("claiming failed, trying again")
            return _LATEST_SECONDS
        return seconds

    def _claim(self, quota: int) -> bool:
        self._make_known()
        session = self._keeper.session()
        limit = min(quota, CLAIM_LIMIT)
        self._claim_no += 1
        self._unanswered.append((session, self._claim_no))
        try:
            claims = self._backend.claims.claim(
                session, self._claim_no, self._desk.serving.lanes, limit
            )
        except SessionEndedError:
            self._unanswered.clear()
            self._session_lost(session)
            return True
        self._unanswered.pop()
        self._desk.counts.claims += 1
        if not claims:
            return False
        self._desk.admit(claims, limit)
        self._patience = _SOONEST_SECONDS
        self._admitted()
        return True

    def _make_known(self) -> None:
        """Store what this worker serves, so that any tool can draw it, and lanes exist."""
        if not self._is_known:
            for program in self._desk.serving.programs.values():
                self._keeper.save_definition(program.definition)
            self._is_known = True

    def _until_due(self) -> float:
        """Return how long nothing can be claimed, as far as can be known."""
        self._patience = min(self._patience * 1.5, _LATEST_SECONDS)
        heard = self.subscription is not None and self.subscription.trouble is None
        seconds = _LATEST_SECONDS if heard else self._patience * random.uniform(0.8, 1.0)  # noqa: S311
        if self._poll is not None:
            seconds = self._poll if heard else min(seconds, self._poll)
        due = self._backend.claims.next_due(self._desk.serving.lanes)
        if due is not None:
            # What is due and was not given is in another claim's hands, or avoids this session.
            wait = (due - self._backend.now()).total_seconds()
            seconds = min(seconds, wait if wait > 0 else self._patience)
        return min(seconds, _TICK_SECONDS) if self._desk.leases() else seconds

    def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        until = monotonic() + seconds
        with self._changed:
            while not self._is_hinted and not self._is_stopping:
                left = until - monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    # Giving back.

    def _give_back(self) -> None:
        while self._unanswered:
            session, claim_no = self._unanswered[0]
            self._backend.claims.release_claim(session, claim_no)
            self._unanswered.pop(0)
        leases = self._desk.give_back()
        if leases:
            self._release(leases)
        age = monotonic() - self._reconciled
        if self._desk.is_unclear or age > self._keeper.ttl.total_seconds():
            self._reconcile()

    def _release(self, leases: list[Lease]) -> None:
        try:
            self._backend.claims.release(leases)
        except BackendError:
            # The reconciliation gives back whatever the desk does not know to be held.
            self._desk.is_unclear = True
            raise

    def _reconcile(self) -> None:
        """Give back what the store thinks is held here and is not.

        No answer is outstanding: claims are made by this thread, commits wait at the gate.
        """
        with self._gate:
            self._desk.is_unclear = False
            try:
                self._backend.sessions.reconcile(self._keeper.session(), self._desk.leases())
            except BaseException:
                self._desk.is_unclear = True
                raise
        self._reconciled = monotonic()
