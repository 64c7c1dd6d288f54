"""The state that all ports of the memory backend share, under one lock."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, assert_never

from sayiir_core.errors import InstanceNotFoundError, SessionEndedError
from sayiir_core.ids import InstanceId, RunId, RunKey, SessionId
from sayiir_core.ports.clock import Clock
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.apply import Applied
from sayiir_core.snapshot.head import Head, Lane
from sayiir_core.snapshot.motion import grant
from sayiir_core.snapshot.reference import InputRef, Leaf, SignalRef, StepRef
from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_runtime.memory.queue import ClaimQueue
from sayiir_runtime.memory.row import Inbox, Place, Run, Session, Ticket
from sayiir_runtime.memory.step import fold, output_of
from sayiir_runtime.memory.wakeup import Hints, Turn

_INPUT_LIMIT: Final = 64 * 1024
_INPUTS_LIMIT: Final = 4 * 1024 * 1024


class Store:
    """Runs, sessions, inboxes and definitions in plain dictionaries.

    Whoever reads anything here holds ``lock``; whoever may make work claimable or end a run takes
    it as ``turn``, which gives the hints. The core functions change heads in place; ``follow``,
    ``reindex`` or ``refresh`` then bring the indexes (queue, holders, owners) up to date.
    Invariant: an ended session holds and owns nothing.
    """

    __slots__ = (
        "_last_number",
        "by_number",
        "clock",
        "definitions",
        "hints",
        "inboxes",
        "lock",
        "numbers",
        "queue",
        "run_of",
        "runs",
        "sessions",
        "turn",
    )

    def __init__(self, clock: Clock, aging_interval: timedelta) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.hints = Hints()
        self.turn = Turn(self.lock, self.hints)
        self.runs: dict[InstanceId, Run] = {}
        self.run_of: dict[RunId, Run] = {}
        self.by_number: dict[int, Run] = {}
        self.numbers: list[int] = []
        self._last_number = 0
        self.inboxes: dict[InstanceId, Inbox] = {}
        self.sessions: dict[SessionId, Session] = {}
        self.definitions: dict[DefinitionIdentity, dict[str, Definition]] = {}
        self.queue = ClaimQueue(aging_interval)

    # Looking up.

    def run(self, instance_id: InstanceId) -> Run:
        """Return the current run of an id, or raise ``InstanceNotFoundError``."""
        run = self.runs.get(instance_id)
        if run is None:
            raise InstanceNotFoundError(instance_id)
        return run

    def run_named(self, key: RunKey) -> Run | None:
        """Return this very run, None if it is not there (any more)."""
        run = self.runs.get(key.instance_id)
        return run if run is not None and run.head.header.run_id == key.run_id else None

    def live_session(self, session_id: SessionId) -> Session:
        """Return a session that has not ended, or raise ``SessionEndedError``."""
        session = self.sessions.get(session_id)
        if session is None or not session.alive:
            raise SessionEndedError(session_id)
        return session

    def is_live(self, session_id: SessionId) -> bool:
        """Tell whether a session is registered and has not ended."""
        session = self.sessions.get(session_id)
        return session is not None and session.alive

    def serving(self) -> Iterator[tuple[SessionId, tuple[Lane, ...]]]:
        """Yield each live session with the lanes that it takes work from."""
        for session_id, session in self.sessions.items():
            if session.alive:
                yield session_id, session.new.lanes

    # Keeping the indexes true.

    def add_run(self, head: Head, payload: bytes) -> Run:
        """Take in a new run; its instance id must be free."""
        header = head.header
        self._last_number += 1
        run = Run(head=head, payload=payload, number=self._last_number)
        self.runs[header.instance_id] = self.run_of[header.run_id] = run
        self.numbers.append(run.number)
        self.by_number[run.number] = run
        for key, cursor in head.cursors.items():
            run.tickets[key] = Ticket(run, cursor)
        self.reindex(run)
        return run

    def remove_run(self, run: Run) -> None:
        """Forget a run with all that is its own; the inbox of its id is left."""
        header = run.head.header
        for key in list(run.tickets):
            self._remove_ticket(run, key)
        if run.owner is not None:
            self.sessions[run.owner].owns.discard(run)
        del self.runs[header.instance_id], self.run_of[header.run_id]
        del self.by_number[run.number], self.numbers[bisect_left(self.numbers, run.number)]

    def reindex(self, run: Run) -> None:
        """Make every index fit the head of a run."""
        self._list_owner(run)
        for ticket in run.tickets.values():
            self.refresh(ticket)

    def _list_owner(self, run: Run) -> None:
        owner = run.head.header.owner
        if owner != run.owner:
            if run.owner is not None:
                self.sessions[run.owner].owns.discard(run)
            if owner is not None:
                self.sessions[owner].owns.add(run)
            run.owner = owner

    def follow(self, run: Run, applied: Applied) -> None:
        """Store the rows of a commit and make the indexes fit what it touched."""
        if applied.header_changed:
            self._list_owner(run)
        for row in applied.steps:
            run.record(fold(row.record, row.session, row.fence, row.seq))
        for scope in applied.scopes:
            run.scopes[scope.scope, scope.index] = scope
        for cursor in applied.added:
            run.tickets[cursor.key] = Ticket(run, cursor)
            self.refresh(run.tickets[cursor.key])
        for key in applied.removed:
            self._remove_ticket(run, key)
        for cursor in applied.touched:
            self.refresh(run.tickets[cursor.key])
        self.note_end(run)

    def retire(self, run: Run, key: Place) -> None:
        """Make the indexes fit a run that has just completed at its last cursor."""
        self._list_owner(run)
        self._remove_ticket(run, key)
        self.hints.ended.note()

    def note_end(self, run: Run) -> None:
        """Let a hint be given if a run has ended, or a body of it that ran on has."""
        if run.head.header.finished_at is not None:
            self.hints.ended.note()

    def refresh(self, ticket: Ticket) -> None:
        """Make the indexes fit one cursor."""
        session = ticket.cursor.session
        if session != ticket.holder:
            if ticket.holder is not None:
                self.sessions[ticket.holder].holds.discard(ticket)
            if session is not None:
                self.sessions[session].holds.add(ticket)
            ticket.holder = session
            self.note_end(ticket.run)
        due = self.queue.refresh(ticket)
        if due is not None and self.hints.listeners and due <= self.clock.now():
            self.hints.claimable.note()

    def _remove_ticket(self, run: Run, key: Place) -> None:
        ticket = run.tickets.pop(key)
        if ticket.holder is not None:
            self.sessions[ticket.holder].holds.discard(ticket)
        self.queue.remove(ticket)

    # Handing out work, and taking it back.

    def claim(self, tickets: Iterable[Ticket], session: SessionId, claim_no: int) -> list[Claim]:
        """Grant cursors to a session, with the small payloads that their inputs name."""
        room = _INPUTS_LIMIT
        claims: list[Claim] = []
        for ticket in tickets:
            claim = grant(ticket.run.head, ticket.cursor, session, claim_no)
            self.refresh(ticket)
            leaf = ticket.cursor.input
            if isinstance(leaf, InputRef | StepRef | SignalRef):
                payload = self.payload(ticket.run, leaf)
                if payload is not None and len(payload) <= min(_INPUT_LIMIT, room):
                    room -= len(payload)
                    claim.inputs[leaf] = payload
            claims.append(claim)
        return claims

    def release(self, ticket: Ticket) -> None:
        """Take a cursor from its holder, uncounted."""
        ticket.cursor.session = ticket.cursor.started_at = None
        self.refresh(ticket)

    def end_session(self, session_id: SessionId) -> None:
        """End a session and release all that it holds or owns; repeatable."""
        session = self.sessions.get(session_id)
        if session is None:
            return
        session.alive = False
        for run in session.owns | {ticket.run for ticket in session.holds}:
            control.disown(run.head, session_id)
            control.release(run.head, session_id)
            self.reindex(run)

    def payload(self, run: Run, leaf: Leaf) -> bytes | None:
        """Return the bytes that a leaf names, None if there are none (yet)."""
        match leaf:
            case InputRef():
                return run.input
            case StepRef(node, turns):
                return output_of(run.latest.get((node, turns)))
            case SignalRef(seq):
                inbox = self.inboxes.get(run.head.header.instance_id)
                return None if inbox is None else inbox.payloads.get(seq)
            case _:
                assert_never(leaf)
