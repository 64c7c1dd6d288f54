"""Why an instance stands where it stands, and what to do about it.

Nothing stops silently: every cursor of a live instance is in one of the conditions below, and each
has a sentence and a next action. All of it is derived from the head, so it holds for every store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, assert_never

from sayiir_core.engine.condition import Condition, advice
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.head import (
    Cursor,
    CursorState,
    Head,
    Header,
    InstanceState,
    Lane,
)
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END


@dataclass(frozen=True, slots=True)
class Explanation:
    """One place of an instance: its path (empty for the whole), why, and what helps."""

    path: str
    condition: Condition
    sentence: str
    action: str


class SessionFacts(Protocol):
    """What is known of a session; the view of a session that stores return fits."""

    @property
    def worker_id(self) -> str:
        """Return the name of its worker."""
        ...

    @property
    def host(self) -> str:
        """Return the host of its process."""
        ...

    @property
    def pid(self) -> int:
        """Return its process id."""
        ...

    @property
    def ttl(self) -> timedelta:
        """Return how long it is trusted after a renewal."""
        ...

    @property
    def renewed_at(self) -> datetime:
        """Return the instant of its last renewal."""
        ...

    @property
    def alive(self) -> bool:
        """Tell whether it has neither been reaped nor ended."""
        ...

    @property
    def lanes(self) -> Sequence[Lane]:
        """Return the queues that it takes work from."""
        ...


def explain(
    head: Head,
    definition: Definition | None = None,
    *,
    now: datetime,
    sessions: Mapping[SessionId, SessionFacts] | None = None,
) -> list[Explanation]:
    """Return one explanation for the instance if it rests, and one per cursor that does not.

    ``now`` is the store's clock. Without ``definition`` places are named by node numbers. If given,
    ``sessions`` are all that have not ended, and tell heartbeats and which lanes nobody serves;
    without, nothing is said about either.
    """
    explainer = _Explainer(head.header, definition, now, sessions)
    explanations = explainer.rest()
    for key in sorted(head.cursors):
        cursor = head.cursors[key]
        if cursor.session is not None or head.header.state is InstanceState.RUNNING:
            explanations.append(explainer.cursor(cursor))
    return explanations


class _Explainer:
    """The facts that all sentences share."""

    def __init__(
        self,
        header: Header,
        definition: Definition | None,
        now: datetime,
        sessions: Mapping[SessionId, SessionFacts] | None,
    ) -> None:
        self.header = header
        self.definition = definition
        self.now = now
        self.sessions: Mapping[SessionId, SessionFacts] = sessions or {}
        self.served: set[Lane] | None = None
        if sessions is not None:
            living = filter(self._lives, sessions.values())
            self.served = {lane for session in living for lane in session.lanes}

    def rest(self) -> list[Explanation]:
        """Explain a stored state that holds every cursor, or that has none left."""
        header = self.header
        match header.state:
            case InstanceState.RUNNING:
                return []
            case InstanceState.PAUSED:
                return [self._whole(Condition.PAUSED, f"held by a pause{self._request()}")]
            case InstanceState.FAILED:
                return [self._failed()]
            case InstanceState.CANCELLED:
                ended = f"cancelled{self._at(header.finished_at)}{self._request()}"
                return [self._whole(Condition.CANCELLED, ended)]
            case InstanceState.COMPLETED:
                ended = f"completed{self._at(header.finished_at)}; its output is stored"
                return [self._whole(Condition.COMPLETED, ended)]
            case _:
                assert_never(header.state)

    def _failed(self) -> Explanation:
        error = self.header.error
        sentence = f"held by a failure{self._at(self.header.finished_at)}"
        if error is not None:
            sentence += f" of {error.path!r}: {error.text}"
        return self._whole(Condition.FAILED, sentence)

    def _whole(self, condition: Condition, sentence: str) -> Explanation:
        return Explanation("", condition, sentence, advice(condition, self.header.instance_id))

    def _request(self) -> str:
        header = self.header
        by = f" by {header.requested_by}" if header.requested_by else ""
        return f"{by}: {header.reason}" if header.reason else by

    def cursor(self, cursor: Cursor) -> Explanation:
        """Explain a cursor that is held by a session, or that may go on."""
        condition, sentence = (
            self._unheld(cursor) if cursor.session is None else self._held(cursor, cursor.session)
        )
        sentence += _deaths(cursor)
        action = advice(condition, self.header.instance_id, signal=cursor.signal)
        return Explanation(self._path(cursor), condition, sentence, action)

    # In the hands of a session.

    def _held(self, cursor: Cursor, session: SessionId) -> tuple[Condition, str]:
        facts = self.sessions.get(session)
        who = f"session {session}"
        if facts is not None:
            who = f"worker {facts.worker_id} (process {facts.pid} on {facts.host})"
            quiet = self.now - facts.renewed_at
            if not facts.alive:
                return Condition.SILENT, f"held by {who}, whose session has ended"
            if not self._lives(facts):
                return Condition.SILENT, (
                    f"held by {who}, which has been silent for {_span(quiet)}, longer than its "
                    f"lease of {_span(facts.ttl)}"
                )
            who += f", last heard of {_span(quiet)} ago"
        if self.header.state is not InstanceState.RUNNING:
            return Condition.STOPPING, f"stopping: {who} still executes it, and nothing follows"
        if cursor.started_at is not None:
            return Condition.EXECUTING, f"executing{self._since(cursor.started_at)} under {who}"
        return Condition.RESERVED, f"reserved or executing under {who}"

    # In nobody's hands.

    def _unheld(self, cursor: Cursor) -> tuple[Condition, str]:
        due = cursor.available_at
        if due is not None and due <= self.now:
            return self._ready(cursor, due)
        match cursor.state:
            case CursorState.JOINING:
                branches = "branch" if cursor.pending == 1 else "branches"
                return Condition.JOINING, f"joined on {cursor.pending} live {branches}"
            case CursorState.AWAITING:
                deadline = "" if due is None else f", at the latest until {self._when(due)}"
                return Condition.AWAITING, f"waits for signal {cursor.signal!r}{deadline}"
            case CursorState.SLEEPING:
                return Condition.DUE, f"delayed until {self._when(due)}"
            case CursorState.READY | CursorState.SIGNALLED:
                after = f" after attempt {cursor.attempt}" if cursor.attempt else ""
                return Condition.DUE, f"due again{after} at {self._when(due)}"
            case _:
                assert_never(cursor.state)

    def _ready(self, cursor: Cursor, due: datetime) -> tuple[Condition, str]:
        what = _CLAIMABLE[cursor.state].format(signal=cursor.signal)
        what += self._since(due)
        owner = self.header.owner
        if owner is not None:
            facts = self.sessions.get(owner)
            by = f"session {owner}" if facts is None else f"{facts.worker_id} on {facts.host}"
            return Condition.OWNED, f"{what}; reserved for the runner {by}, which owns the instance"
        lane = Lane(self.header.identity, cursor.group)
        tags = f" for tags {lane.group}" if lane.group else ""
        if self.served is not None and lane not in self.served:
            unserved = f"{what}; no live worker serves lane {lane.identity}{tags}"
            return Condition.UNSERVED, unserved
        return Condition.CLAIMABLE, f"{what}; claimable by any worker{tags}"

    def _lives(self, session: SessionFacts) -> bool:
        return session.alive and self.now - session.renewed_at <= session.ttl

    # Words.

    def _path(self, cursor: Cursor) -> str:
        if cursor.node == END:
            return "end"
        if self.definition is None:
            path = f"node {cursor.node}"
        else:
            path = self.definition.nodes[cursor.node].path
        return path + "".join(f"[{turn}]" for turn in cursor.turns)

    def _at(self, instant: datetime | None) -> str:
        return "" if instant is None else f" at {_clock(instant)}"

    def _since(self, instant: datetime) -> str:
        return f" since {_clock(instant)}"

    def _when(self, instant: datetime | None) -> str:
        assert instant is not None, "a cursor that nothing can wake"
        return f"{_clock(instant)} (in {_span(instant - self.now)})"


_CLAIMABLE: Final = {
    CursorState.READY: "ready",
    CursorState.SLEEPING: "its delay is over",
    CursorState.AWAITING: "the deadline for signal {signal!r} has passed",
    CursorState.SIGNALLED: "its signal has arrived",
    CursorState.JOINING: "ready",
}


def _deaths(cursor: Cursor) -> str:
    if not cursor.deaths:
        return ""
    times = "once" if len(cursor.deaths) == 1 else f"{len(cursor.deaths)} times"
    return f"; delivered {times} to a worker that died: {', '.join(cursor.deaths)}"


def _clock(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    seconds = max(span.total_seconds(), 0.0)
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
