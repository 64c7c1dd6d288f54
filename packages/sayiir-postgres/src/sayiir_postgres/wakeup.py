"""Hint at new work and at ends, within this process and across processes.

How this works: after a commit that concerns others a store calls ``hint``. Subscribers of this
backend to such hints are called at once, on that thread; the notifier tells other processes, and a
listener hears what they tell as long as there are subscribers. All of it belongs to a process id: a forked
child starts with nothing, and leaves alone what its parent has. ``close`` ends threads and
connections; subscribers stay, and hear again once the backend is used again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.address import Address
from sayiir_postgres.channel import Channel, fresh_token
from sayiir_postgres.listener import Listener, Pace
from sayiir_postgres.notifier import Notifier
from sayiir_postgres.statements import Statements

logger = logging.getLogger("sayiir.postgres")

_FAREWELL: Final = 1.0


class PostgresSubscription:
    """One listener for hints of one kind."""

    def __init__(self, household: _Household, kind: HintKind, hint: Callable[[], None]) -> None:
        self.kind = kind
        self._household = household
        self._hint = hint
        self._closed = False

    @property
    def trouble(self) -> str | None:
        """Return why hints of other processes do not arrive at the moment, None if they do."""
        if self._closed:
            return "the subscription is closed"
        return self._household.trouble

    def tell(self) -> None:
        """Give a hint; one that fails harms nobody else."""
        try:
            self._hint()
        except Exception:
            logger.exception("a subscriber to hints failed; it should only note the hint")

    def close(self) -> None:
        """Stop; repeatable."""
        self._closed = True
        self._household.remove(self)


class _Household:
    """What one process has of a backend's wake-up: subscribers, a notifier and a listener."""

    def __init__(self, make: Callable[[_Household], Listener], speaking: Channel) -> None:
        self.pid = os.getpid()
        self.token = fresh_token()
        self.notifier = Notifier(speaking, self.token)
        self._make = make
        self._lock = threading.Lock()
        self._subscribers: tuple[PostgresSubscription, ...] = ()
        self._listener: Listener | None = None
        self._leaves_at_exit = False

    @property
    def trouble(self) -> str | None:
        """Return why hints of other processes do not arrive, None if they do."""
        if self.pid != os.getpid():
            return "the subscription belongs to the process that made it; subscribe in this one"
        listener = self._listener
        if listener is None:
            return "the backend is closed; hints arrive again when it is used again"
        return listener.trouble

    def tell(self, kinds: AbstractSet[HintKind]) -> None:
        """Give the subscribers of this process hints of these kinds."""
        for subscriber in self._subscribers:
            if subscriber.kind in kinds:
                subscriber.tell()

    def tell_others(self, kinds: AbstractSet[HintKind]) -> None:
        """Give every other process hints of these kinds, soon."""
        self._leave_at_exit()
        self.notifier.hint(kinds)

    def add(self, subscriber: PostgresSubscription) -> None:
        """Add a subscriber, and listen."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)
        try:
            self.listen()
        except BaseException:
            self.remove(subscriber)
            raise

    def remove(self, subscriber: PostgresSubscription) -> None:
        """Remove a subscriber; the last one ends the listening."""
        if self.pid != os.getpid():
            return
        with self._lock:
            self._subscribers = tuple(it for it in self._subscribers if it is not subscriber)
            if self._subscribers or self._listener is None:
                return
            listener, self._listener = self._listener, None
        listener.stop()

    def listen(self) -> None:
        """Listen if anybody subscribes, and nobody listens yet."""
        with self._lock:
            if self._listener is None and self._subscribers:
                self._leave_at_exit()
                listener = self._make(self)
                listener.start()
                self._listener = listener

    def leave(self) -> None:
        """Let the last hints out, for at most a second, and end all threads."""
        if self.pid != os.getpid():
            return
        with self._lock:
            listener, self._listener = self._listener, None
        atexit.unregister(self.leave)
        self._leaves_at_exit = False
        if listener is not None:
            listener.stop()
        self.notifier.stop()
        if listener is not None:
            listener.join(_FAREWELL)

    def _leave_at_exit(self) -> None:
        """Take care that the last hints of this process do not die with it."""
        if not self._leaves_at_exit:
            self._leaves_at_exit = True
            atexit.register(self.leave)


class PostgresWakeup:
    """The wake-up port."""

    def __init__(
        self,
        address: Address,
        listen_address: Address | None,
        statements: Statements,
        *,
        pace: Pace | None = None,
    ) -> None:
        self._speaking = Channel(address, statements)
        self._hearing = Channel(listen_address or address, statements)
        self._silence = _silence(address, listen_address)
        self._pace = pace or Pace()
        # By process id, so that the locks of a parent stop nobody in its child.
        self._households: dict[int, _Household] = {}

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> PostgresSubscription:
        """Call ``hint``, quickly and from any thread, whenever there may be what ``kind`` says."""
        household = self._own()
        subscription = PostgresSubscription(household, kind, hint)
        household.add(subscription)
        return subscription

    def hint(self, kinds: AbstractSet[HintKind]) -> None:
        """Tell everybody that there may be what these kinds say; returns at once, never raises."""
        household = self._own()
        household.tell(kinds)
        household.tell_others(kinds)

    def resume(self) -> None:
        """Listen again, if subscribers outlived a ``close``."""
        self._own().listen()

    def close(self) -> None:
        """End the threads and connections of this process; a later use begins anew."""
        household = self._households.get(os.getpid())
        if household is not None:
            household.leave()

    def _own(self) -> _Household:
        pid = os.getpid()
        household = self._households.get(pid)
        if household is None:
            fresh = _Household(self._make_listener, self._speaking)
            household = self._households.setdefault(pid, fresh)
        return household

    def _make_listener(self, household: _Household) -> Listener:
        return Listener(
            self._hearing,
            household.notifier,
            household.token,
            household.tell,
            silence=self._silence,
            pace=self._pace,
        )


def _silence(address: Address, listen_address: Address | None) -> str:
    """Return why nothing may be heard although everything seems to work, and the remedy."""
    if listen_address is None:
        return (
            f"NOTIFY and LISTEN succeed at {address} but nothing comes back, as behind a pooler in "
            f"transaction mode; pass listen_url= with an address of the server itself"
        )
    return (
        f"what is notified at {address} is not heard at listen_url {listen_address}; it must be "
        f"an address of the server itself, not of a pooler, and name the same database"
    )
