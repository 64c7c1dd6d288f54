"""Claiming: keeping the desk filled, and waiting where there is nothing to do.

How this works: it claims whenever the desk has room. A claim that finds less than it could take is
followed by a look at when something will be due, and a sleep until then, until a hint from the
store, or until it is time to look again anyway: soon where no hints travel, seldom where they do,
because a hint may be lost. Where hints travel, what was empty a moment ago is not asked again for
mere room. A claim without an answer is given back, by its number, until that is answered.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final, Protocol

from sayiir_core.errors import BackendError, SessionEndedError
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.wakeup import HintKind, Subscription
from sayiir_core.snapshot.answer import Claim
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import Script, perform

logger = logging.getLogger("sayiir.worker")

CLAIM_LIMIT: Final = 500
_SOONEST_SECONDS: Final = 0.01
_LATEST_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 0.1
_DEAF_SECONDS: Final = 10.0


class Keeper(Protocol):
    """What keeps the session of a worker alive."""

    @property
    def ttl(self) -> timedelta:
        """Return how long the lease lasts."""
        ...

    def session(self) -> SessionId:
        """Return the live session; registers one if there is none."""
        ...

    def save_definition(self, definition: Definition) -> None:
        """Store a definition, once."""
        ...


class Claimer:
    """Claim for one desk, from one thread.

    ``admitted`` is called when there is something new to run, ``session_lost`` when the store
    calls a session ended, ``settled`` when commits may go on after a reconciliation.
    """

    def __init__(
        self,
        desk: Desk,
        backend: Backend,
        keeper: Keeper,
        outage: Outage,
        random: Random,
        *,
        poll: timedelta | None,
        admitted: Callable[[], None],
        settled: Callable[[], None],
        session_lost: Callable[[SessionId], None],
    ) -> None:
        self._desk = desk
        self._backend = backend
        self._keeper = keeper
        self._outage = outage
        self._random = random
        self._poll = None if poll is None else poll.total_seconds()
        self._admitted = admitted
        self._settled = settled
        self._session_lost = session_lost
        self._changed = threading.Condition()
        self._is_hinted = False
        self._is_woken = False
        self._quiet_until = 0.0
        self._is_stopping = False
        self._is_known = False
        self._claim_no = 0
        self._unanswered: list[tuple[SessionId, int]] = []
        self._patience = _SOONEST_SECONDS
        self._reconciled = desk.monotonic()
        self.subscription: Subscription | None = None
        self._deafness: str | None = None
        self._deaf_until = 0.0

    @property
    def deafness(self) -> str | None:
        """Return why no hints arrive, None if they do or the store has none."""
        subscription = self.subscription
        return self._deafness if subscription is None else subscription.trouble

    def hint(self) -> None:
        """Look soon, because there may be work."""
        with self._changed:
            self._is_hinted = True
            self._changed.notify()

    def wake(self) -> None:
        """Look soon, because there may be room for work, or something to give back.

        While the queue is known to be empty nobody has to wake up for that.
        """
        with self._changed:
            self._is_woken = True
            if not self._is_quiet:
                self._changed.notify()

    @property
    def _is_quiet(self) -> bool:
        """Tell whether the queue was empty a moment ago, and no answer asks for a reconciliation."""
        is_empty = self._desk.monotonic() < self._quiet_until
        return is_empty and not self._desk.gate.is_unclear

    def stop(self) -> None:
        """Claim nothing more."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Claim until stopped."""
        try:
            while not self._is_stopping:
                self._listen()
                self._wait(perform(self.turn()))
        finally:
            if self.subscription is not None:
                self.subscription.close()

    def _listen(self) -> None:
        """Ask for hints; where they are refused, poll, and ask again now and then."""
        wakeup, moment = self._backend.wakeup, self._desk.monotonic()
        if wakeup is None or self.subscription is not None or moment < self._deaf_until:
            return
        try:
            self.subscription = wakeup.subscribe(HintKind.CLAIMABLE, self.hint)
        except Exception as error:  # noqa: BLE001 - who gets no hints can still work
            if self._deafness is None:
                logger.warning("work is polled for, because the store gives no hints: %r", error)
            self._deafness = f"the store gives no hints: {error!r}"
            self._deaf_until = moment + _DEAF_SECONDS

    def _wait(self, seconds: float) -> None:
        with self._changed:
            quiet = self._quiet_until - self._desk.monotonic()
            if 0 < quiet < seconds:
                seconds -= quiet
                self._changed.wait_for(self._is_called, quiet)
            if seconds > 0 and not self._is_called():
                self._changed.wait(seconds)

    def _is_called(self) -> bool:
        return self._is_hinted or self._is_stopping or (self._is_woken and not self._is_quiet)

    def turn(self) -> Script[float]:
        """Do what there is to do; return how long to wait if no hint comes, in seconds."""
        self._is_woken = False
        if self._is_hinted:
            self._is_hinted = False
            self._quiet_until = 0.0
        try:
            yield from self._give_back()
            quota = self._desk.quota()
            if quota == 0:
                return _TICK_SECONDS
            quiet = self._quiet_until - self._desk.monotonic()
            if quiet > 0:
                return quiet
            limit = min(quota, CLAIM_LIMIT)
            found = yield from self._claim(limit)
            # A hint that came meanwhile knows more than when something is due.
            is_over = found < limit and not self._is_hinted
            seconds = (yield from self._until_due(found)) if is_over else 0.0
            self._outage.over()
        except BackendError as error:
            return self._outage.note(error)
        except Exception:
            logger.exception("claiming failed, trying again")
            return _LATEST_SECONDS
        return seconds

    def settle(self) -> Script[bool]:
        """Give back what must be; return whether the store could be reached."""
        try:
            yield from self._give_back()
        except BackendError as error:
            self._outage.note(error)
            return False
        except Exception:
            logger.exception("giving back failed, trying again")
            return False
        return True

    def _claim(self, limit: int) -> Script[int]:
        """Claim, and return how many came; as many as asked for if nothing is known."""
        yield from self._make_known()
        session: SessionId = yield self._keeper.session
        self._claim_no += 1
        self._unanswered.append((session, self._claim_no))
        lanes = self._desk.serving.lanes
        try:
            claims: Sequence[Claim] = yield partial(
                self._backend.claims.claim, session, self._claim_no, lanes, limit
            )
        except SessionEndedError:
            self._unanswered.clear()
            self._session_lost(session)
            return limit
        self._unanswered.pop()
        self._desk.counts.claims += 1
        self._desk.admit(claims, limit)
        if claims:
            self._patience = _SOONEST_SECONDS
            self._admitted()
        return len(claims)

    def _make_known(self) -> Script[None]:
        """Store what this worker serves, so that any tool can draw it, and lanes exist."""
        if not self._is_known:
            for program in self._desk.serving.programs.values():
                yield partial(self._keeper.save_definition, program.definition)
            self._is_known = True

    def _until_due(self, found: int) -> Script[float]:
        """Return how long nothing more can be claimed, as far as can be known."""
        if not found:
            self._patience = min(self._patience * 1.5, _LATEST_SECONDS)
        heard = self.subscription is not None and self.subscription.trouble is None
        seconds = _LATEST_SECONDS if heard else self._patience * self._random.uniform(0.8, 1.0)
        if self._poll is not None:
            seconds = self._poll if heard else min(seconds, self._poll)
        due: datetime | None = yield partial(
            self._backend.claims.next_due, self._desk.serving.lanes
        )
        if due is not None:
            # What is due and was not given is in another claim's hands, or avoids this session.
            wait = (due - self._backend.now()).total_seconds()
            if wait <= 0:
                wait = 0.0 if found else self._patience
            seconds = min(seconds, wait)
        if heard:
            self._quiet_until = self._desk.monotonic() + min(seconds, _QUIET_SECONDS)
        return seconds if self._desk.is_idle() else min(seconds, _TICK_SECONDS)

    # Giving back.

    def _give_back(self) -> Script[None]:
        while self._unanswered:
            session, claim_no = self._unanswered[0]
            yield partial(self._backend.claims.release_claim, session, claim_no)
            self._unanswered.pop(0)
        leases = self._desk.give_back()
        if leases:
            try:
                yield partial(self._backend.claims.release, leases)
            except BaseException:
                # The reconciliation gives back what is not known here.
                self._desk.gate.is_unclear = True
                raise
        if self._desk.monotonic() - self._reconciled > self._keeper.ttl.total_seconds():
            self._desk.gate.is_unclear = True
        if self._desk.gate.is_unclear:
            yield from self._reconcile()

    def _reconcile(self) -> Script[None]:
        """Give back what the store thinks is held here and is not.

        No answer is outstanding meanwhile: claims come from here, and the desk lets no batch go.
        """
        if not self._desk.gate.begin_reconciling():
            return
        leases = self._desk.leases()
        try:
            session: SessionId = yield self._keeper.session
            yield partial(self._backend.sessions.reconcile, session, leases)
        except BaseException:
            self._desk.gate.is_unclear = True
            raise
        finally:
            self._desk.gate.end_reconciling()
            self._settled()
        self._reconciled = self._desk.monotonic()
