"""One instance under proof, and the world around the processes that run it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.errors import InstanceNotFoundError, InstanceStateError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import CursorState, Head, InstanceState
from sayiir_pytest.crash import bury
from sayiir_pytest.process import TTL, World
from sayiir_pytest.recovery.journal import Journal
from sayiir_runtime.api import send_signal

Signals = Sequence[tuple[str, Any]]

_REASON: Final = "the proof asks for it"

ENDS = frozenset({InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is proved: a workflow, its input, and the signals that it is sent, in order."""

    workflow: Workflow[Any, Any]
    input: Any
    signals: Signals = ()


class Scene:
    """An instance in a store; the outside world, which sends and asks and never dies.

    ``take_over`` is what others do when the lease of a process is lost. With ``is_watched`` another
    process sends the signals that the instance waits for. A process that makes ``most_calls`` to the
    store is stuck.
    """

    def __init__(self, world: World, case: Case, journal: Journal) -> None:
        self.world = world
        self.case = case
        self.journal = journal
        self.instance_id = InstanceId(f"proof-{uuid.uuid4().hex[:12]}")
        self.lock = RLock()
        self.engines = 0
        self.is_watched = False
        self.most_calls = 100_000
        self.take_over: Callable[[], None] = lambda: None
        self._seen: object = None

    def reopened(self) -> Scene:
        """Return the same instance as another process sees it, in a store that it opens itself."""
        scene = Scene(self.world.reopened(), self.case, self.journal)
        scene.instance_id = self.instance_id
        scene.most_calls = self.most_calls
        return scene

    # What traps need of the world.

    def head(self) -> Head | None:
        """Return the head, None before the instance exists."""
        try:
            return self.world.head(self.instance_id)
        except InstanceNotFoundError:
            return None

    def send_due(self) -> bool:
        """Send the next signal that the instance waits for; tell whether one was sent."""
        head = None if self.is_watched else self.head()
        name = None if head is None else self.awaits_signal(head)
        return name is not None and self._send_next(name)

    def awaits_signal(self, head: Head) -> str | None:
        """Return the name of the first signal that is waited for and still to be sent."""
        left = {self.case.signals[position][0] for position in self._left()}
        for key in sorted(head.cursors):
            cursor = head.cursors[key]
            if cursor.state is CursorState.AWAITING and cursor.signal in left:
                return cursor.signal
        return None

    def send(self, name: str) -> None:
        """Send the next signal of a name, if one is left."""
        self._send_next(name)

    def send_all(self) -> None:
        """Send every signal that is left."""
        for name, _ in self.case.signals:
            self._send_next(name)

    def cancel(self) -> None:
        """Ask for a cancel."""
        with suppress(InstanceStateError):
            self.world.store.control.cancel(self.instance_id, reason=_REASON, by=None)

    def lose_lease(self) -> None:
        """Have others take over what the process runs."""
        self.take_over()

    def acknowledge(self, steps: Iterable[str]) -> None:
        """Note steps that the store has told the process are stored."""
        self.journal.acknowledge(steps)

    # What the prover needs of it.

    def bury(self) -> None:
        """Let the lease of the dead run out, and take from it what it held."""
        bury(self.world.store, self.world.clock, TTL)

    def recorded(self) -> set[str]:
        """Return the idempotency keys of the steps that are stored as succeeded."""
        return set(self.world.succeeded(self.instance_id))

    def next_due(self) -> datetime | None:
        """Return when something of the instance that rests is due, None if nothing is."""
        head = self.head()
        return None if head is None else due_of(head)

    def move_on(self) -> bool:
        """Do what lets a resting instance go on: a signal, time. False if nothing does.

        An instance that is due, and stays exactly as it is although it is run, is stuck: False.
        """
        head = self.head()
        if head is None or head.header.state is not InstanceState.RUNNING:
            return False
        if self.send_due():
            return True
        due, now = due_of(head), self.world.clock.now()
        if due is None:
            return False
        if due > now:
            self.world.clock.advance_to(due)
        elif self._seen == _standing(head):
            return False
        self._seen = _standing(head)
        return True

    @property
    def is_cancelled(self) -> bool:
        """Tell whether a cancel was asked for in time."""
        head = self.head()
        return head is not None and head.header.reason == _REASON

    def is_over(self) -> bool:
        """Tell whether the instance has ended and no body runs."""
        head = self.head()
        return head is not None and head.header.state in ENDS and not head.executing

    def clean_up(self) -> None:
        """End an instance that has not, so that no later process finds it."""
        if self.head() is not None:
            self.cancel()

    def _left(self) -> list[int]:
        sent = self.journal.sent
        return [position for position in range(len(self.case.signals)) if position not in sent]

    def _send_next(self, name: str) -> bool:
        for position in self._left():
            known, payload = self.case.signals[position]
            if known == name:
                send_signal(self.instance_id, name, payload, self.world.store)
                self.journal.send(position)
                return True
        return False


def due_of(head: Head) -> datetime | None:
    """Return when something that rests is due, None if nothing is or will be."""
    if head.header.state is not InstanceState.RUNNING:
        return None
    times = [it.available_at for it in head.cursors.values() if it.session is None and not it.held]
    return min((time for time in times if time is not None), default=None)


def _standing(head: Head) -> object:
    """Return where an instance stands, whoever holds it."""
    return [
        (key, it.node, it.turns, it.seq, it.state, it.available_at, it.held)
        for key, it in sorted(head.cursors.items())
    ]
