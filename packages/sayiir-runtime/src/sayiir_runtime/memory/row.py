"""What the store keeps: per run, per live cursor, per inbox, per session."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field, replace
from datetime import datetime

from sayiir_core.ids import Index, SessionId
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.head import Cursor, Head, Lane, PendingSignal
from sayiir_core.snapshot.step import ScopeRow
from sayiir_runtime.memory.step import SUCCEEDED, StoredStep

Place = tuple[int, Index]
"""Where something stands in a run: (node, turns) of a step, (scope, index) of a line."""


class Run:
    """A run: its head, and what it has recorded.

    ``number`` counts runs of the store in order of creation; ``owner`` is the session under
    which the run is listed. ``latest`` holds the succeeded record of a step, or else its last
    attempt; ``turns`` the sorted turns per node in loops.
    """

    __slots__ = (
        "head",
        "input",
        "latest",
        "number",
        "owner",
        "scopes",
        "steps",
        "tickets",
        "turns",
    )

    def __init__(self, *, head: Head, payload: bytes, number: int) -> None:
        self.head = head
        self.input = payload
        self.number = number
        self.owner: SessionId | None = None
        self.tickets: dict[Place, Ticket] = {}
        self.steps: list[StoredStep] = []
        self.latest: dict[Place, StoredStep] = {}
        self.turns: dict[int, list[Index]] = {}
        self.scopes: dict[Place, ScopeRow] = {}

    def record(self, step: StoredStep) -> None:
        """Append an execution record."""
        turns = step[1]
        place = (step[0], turns)
        self.steps.append(step)
        known = self.latest.get(place)
        if known is None:
            if turns:
                insort(self.turns.setdefault(step[0], []), turns)
        elif known[3] == SUCCEEDED:
            return
        self.latest[place] = step

    def last_turn(self, node: int, prefix: Index) -> Index | None:
        """Return the highest recorded turns of a node that start with a prefix."""
        if not prefix and (node, ()) in self.latest:
            return ()
        turns = self.turns.get(node, [])
        end = bisect_left(turns, (*prefix[:-1], prefix[-1] + 1)) if prefix else len(turns)
        if end and turns[end - 1][: len(prefix)] == prefix:
            return turns[end - 1]
        return None


@dataclass(slots=True, eq=False)
class Ticket:
    """A live cursor with its entries in the store's indexes.

    ``holder`` is the session under which it is listed. ``entry`` is the number of its entry in
    the queue of ``lane``, 0 if it has none, and ``due``, ``priority`` and ``avoided`` what that
    entry says.
    """

    run: Run
    cursor: Cursor
    holder: SessionId | None = None
    entry: int = 0
    lane: Lane | None = None
    due: datetime | None = None
    priority: int = 0
    avoided: SessionId | None = None


@dataclass(slots=True, eq=False)
class Inbox:
    """The signals of an instance id; ``pending`` is shared with the head of its run."""

    pending: list[PendingSignal]
    last: int = 0
    payloads: dict[int, bytes] = field(default_factory=dict[int, bytes])

    def clear(self) -> None:
        """Drop every signal; the numbering goes on."""
        self.pending = []
        self.payloads.clear()


@dataclass(slots=True, eq=False)
class Session:
    """A session with what it holds and owns; both are empty once it has ended."""

    new: NewSession
    pid: int
    host: str
    renewed_at: datetime
    steady_since: datetime
    alive: bool = True
    holds: set[Ticket] = field(default_factory=set["Ticket"])
    owns: set[Run] = field(default_factory=set["Run"])

    def view(self) -> SessionView:
        """Return what others see of it."""
        return SessionView(
            session_id=self.new.session_id,
            worker_id=self.new.worker_id,
            host=self.host,
            pid=self.pid,
            ttl=self.new.ttl,
            renewed_at=self.renewed_at,
            alive=self.alive,
            lanes=self.new.lanes,
        )


def copy_head(head: Head) -> Head:
    """Return a head that shares nothing mutable; the marks of arrivals stay in the store."""
    cursors = {key: cursor.copy() for key, cursor in head.cursors.items()}
    inbox = [replace(signal) for signal in head.inbox] if head.inbox else []
    return Head(head.header.copy(), cursors, inbox, {})
