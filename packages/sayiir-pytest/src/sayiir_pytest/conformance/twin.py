"""A store under test and the model of a store, told the same and compared.

Each method does one thing to both and asserts that both answer the same. Where a store may
choose, as between two claims of equal rank, the store chooses, the choice is judged, and the
model follows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import TypeVar

from sayiir_core.errors import SayiirError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Answer, Claim, Lost, Refused
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.effect import Checkpoint, Lease
from sayiir_core.snapshot.head import Head, Lane
from sayiir_pytest.conformance.model import Model, comparable_cursors
from sayiir_pytest.conformance.rig import TTL, Rig

T = TypeVar("T")


class Twin:
    """Hold the store under test beside a model that has seen the same calls."""

    def __init__(self, rig: Rig, aging_interval: timedelta) -> None:
        """Start with a definition, and thus with lanes, of its own."""
        self.rig = rig
        self.backend = rig.backend
        self.model = Model(rig.clock)
        self.definition = rig.define()
        self.aging_interval = aging_interval
        self.sent: list[Checkpoint] = []
        self.pruned: set[InstanceId] = set()
        self.runs: list[RunKey] = []
        self._claims = count(1)

    def close(self) -> None:
        """End every session, so that the next twin on this store meets none."""
        for session in list(self.model.sessions):
            self.backend.sessions.end(session)

    def lane(self, group: str = "") -> Lane:
        """Return a lane of this twin's definition."""
        return Lane(self.definition.identity, group)

    # --- instances and checkpoints -----------------------------------------------------------

    def create(self, new: NewInstance) -> None:
        """Create a run in both."""
        (answer,) = self.backend.instances.create([new])
        following = self.model.create(new)
        if isinstance(following, Created):
            self.runs.append(RunKey(new.instance_id, new.run_id))
        assert _without_inputs(_plain_created(following)) == _without_inputs(_plain_created(answer))

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit a batch to the store, and its checkpoints one by one to the model."""
        answers = self.backend.checkpoints.commit(batch)
        following = [self.model.commit(checkpoint) for checkpoint in batch]
        self.sent.extend(batch)
        assert [
            self._answer(mine, checkpoint)
            for mine, checkpoint in zip(following, batch, strict=True)
        ] == [self._answer(its, checkpoint) for its, checkpoint in zip(answers, batch, strict=True)]
        return answers

    def _answer(self, answer: Answer, checkpoint: Checkpoint) -> object:
        if isinstance(answer, Lost):
            # Who has no session any more may learn any of the reasons for which it lost.
            exact = checkpoint.lease.session in self.model.sessions
            known = checkpoint.lease.instance_id in self.model.heads
            return answer if exact and known else Lost
        if isinstance(answer, Refused):
            return answer
        return replace(answer, claims=tuple(_bare(claim) for claim in answer.claims))

    def prune(self) -> None:
        """Remove what has ended."""
        now = self.rig.clock.now()
        while self.backend.instances.prune(finished_before=now, limit=100):
            pass
        self.pruned.update(self.model.prune(now))

    # --- claims and ownership ------------------------------------------------------------------

    def claim(self, session: SessionId, groups: Collection[str], limit: int) -> int:
        """Claim for a pool and return the number of the call."""
        number, lanes = next(self._claims), [self.lane(group) for group in groups]
        due = self.model.due(session, lanes)
        limit = _uncut([claim_order(c, self.aging_interval) for _, c in due], limit)
        claims = self.backend.claims.claim(session, number, lanes, limit)
        taken = [claim.lease.run_id + repr(claim.lease.key) for claim in claims]
        order = {
            head.header.run_id + repr(cursor.key): claim_order(cursor, self.aging_interval)
            for head, cursor in due
        }
        assert len(claims) == len(set(taken)) == min(limit, len(due))
        assert set(taken) <= set(order), "a cursor was given that is not claimable"
        ranks = [order[key] for key in taken]
        left = [rank for key, rank in order.items() if key not in taken]
        assert sorted(ranks) == ranks, "the claims are not in the order of the queue"
        assert not left or not ranks or max(ranks) <= min(left), "a better cursor was left"
        self._follow(claims, number)
        return number

    def next_due(self, groups: Collection[str]) -> None:
        """Ask when the first cursor of some lanes is due."""
        lanes = [self.lane(group) for group in groups]
        assert self.model.next_due(lanes) == self.backend.claims.next_due(lanes)
        for at_most in (1, 100):
            found = self.backend.claims.backlog(lanes, at_most=at_most)
            assert self.model.backlog(lanes, at_most) == set(found)
            assert len(set(lanes)) == len(found)

    def claim_owned(self, session: SessionId, run: RunKey, limit: int) -> int:
        """Claim for an owner and return the number of the call."""
        number = next(self._claims)
        due = self.model.due_for_owner(session, run)
        limit = _uncut([cursor.available_at for cursor in due if cursor.available_at], limit)
        claims = self.backend.ownership.claim_owned(session, number, run, limit)
        assert len(claims) == min(limit, len(due))
        due_at = {cursor.key: cursor.available_at for cursor in due}
        assert [cursor.available_at for cursor in due][:limit] == [
            due_at.get(claim.lease.key) for claim in claims
        ]
        self._follow(claims, number)
        return number

    def _follow(self, claims: Sequence[Claim], number: int) -> None:
        for claim in claims:
            assert self.model.grant(claim, number) == _bare(claim)

    def release(self, leases: Sequence[Lease]) -> None:
        """Give leases back."""
        self.backend.claims.release(leases)
        self.model.release(leases)

    def release_claim(self, session: SessionId, number: int) -> None:
        """Give a claim call back."""
        self.backend.claims.release_claim(session, number)
        self.model.release_claim(session, number)

    def own(self, session: SessionId, instance_id: InstanceId) -> None:
        """Ask for an instance."""
        answer = self.backend.ownership.own(session, instance_id)
        holder = control.own(self.model.heads[instance_id], session)
        if holder is None:
            assert isinstance(answer, Owned), answer
        else:
            # Of several sessions in the way a store may name any.
            assert isinstance(answer, Busy), answer

    def disown(self, session: SessionId, run: RunKey) -> None:
        """Give a run up."""
        self.backend.ownership.disown(session, run)
        self.model.disown(session, run)

    # --- sessions, signals, requests ---------------------------------------------------------------

    def register(self, groups: Collection[str] = ()) -> SessionId:
        """Register a session, which serves the lanes of some groups, in both."""
        lanes = [self.lane(group) for group in groups]
        session = self.rig.session(ttl=TTL, lanes=lanes)
        self.model.register(session, TTL, lanes)
        return session

    def live(self) -> None:
        """Ask which sessions live, and what they serve."""
        views = self.backend.sessions.live()
        assert {it: known.lanes for it, known in self.model.sessions.items()} == {
            view.session_id: frozenset(view.lanes) for view in views
        }

    def renew(self, session: SessionId) -> None:
        """Renew a session."""
        assert self.model.renew(session) == self.backend.sessions.renew(session)

    def end(self, session: SessionId) -> None:
        """End a session."""
        self.backend.sessions.end(session)
        self.model.end(session)

    def reap(self, session: SessionId) -> None:
        """Reap in the name of a session."""
        reaped = self.backend.sessions.reap(session)
        assert set(self.model.reap(session)) == set(reaped)

    def reconcile(
        self, session: SessionId, kept: Sequence[Lease], run: RunKey | None = None
    ) -> None:
        """Give back everything, or everything of one run, but some leases."""
        self.backend.sessions.reconcile(session, kept, run)
        self.model.reconcile(session, kept, run)

    def send(self, instance_id: InstanceId, name: str) -> None:
        """Send a signal."""
        number = self.backend.signals.send(instance_id, name, b"signal")
        assert self.model.send(instance_id, name) == number

    def expire(self) -> None:
        """Remove the signals that nothing will consume."""
        now = self.rig.clock.now()
        while self.backend.signals.expire(received_before=now, limit=100):
            pass
        self.model.expire(now)

    def request(self, operation: str, instance_id: InstanceId) -> None:
        """Cancel, pause, unpause or retry."""
        head = self.model.heads[instance_id]
        now, store = self.rig.clock.now(), self.backend.control
        asked: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "cancel": (
                lambda: store.cancel(instance_id, reason="r", by="b"),
                lambda: control.cancel(head, reason="r", by="b", now=now),
            ),
            "pause": (
                lambda: store.pause(instance_id, reason="r", by="b"),
                lambda: control.pause(head, reason="r", by="b"),
            ),
            "unpause": (
                lambda: store.unpause(instance_id),
                lambda: control.unpause(head),
            ),
            "retry": (lambda: store.retry(instance_id), lambda: control.retry(head)),
        }
        of_store, of_model = asked[operation]
        assert _refusal(of_model) == _refusal(of_store)

    # --- looking -------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that the store holds exactly what the model holds."""
        for instance_id, head in self.model.heads.items():
            self._check_head(instance_id, head)
            self._check_rows(head)
            pending = self.backend.signals.pending(instance_id)
            assert self.model.inbox(instance_id).pending == pending
        ids = [*self.model.heads, *self.pruned]
        headers = [head.header for head in self.model.heads.values()]
        assert [*headers, *[None] * len(self.pruned)] == self.backend.instances.headers(ids)

    def _check_head(self, instance_id: InstanceId, head: Head) -> None:
        stored = self.backend.instances.load(instance_id)
        assert head.header == stored.header
        assert comparable_cursors(head) == comparable_cursors(stored)

    def _check_rows(self, head: Head) -> None:
        run_id, results = head.header.run_id, self.backend.results
        assert self.model.steps[run_id] == self.rig.history(run_id)
        scopes = self.model.scopes[run_id]
        assert scopes == {key: results.scope(run_id, key[0], key[1]) for key in scopes}


def _bare(claim: Claim) -> Claim:
    """Return a claim without the payloads, which a store may leave out."""
    return replace(claim, inputs={})


def _plain_created(answer: Created | Exists) -> tuple[type, object, object, Claim | None]:
    claim = answer.claim if isinstance(answer, Created) else None
    return type(answer), answer.head.header, comparable_cursors(answer.head), claim


def _without_inputs(
    created: tuple[type, object, object, Claim | None],
) -> tuple[type, object, object, Claim | None]:
    kind, header, cursors, claim = created
    return kind, header, cursors, claim and _bare(claim)


def _refusal(ask: Callable[[], object]) -> type[SayiirError] | None:
    try:
        ask()
    except SayiirError as error:
        return type(error)
    return None


def _uncut(ranks: Sequence[datetime], limit: int) -> int:
    """Return a limit that cuts through no equals: which of them is given is the store's choice.

    A choice that differs from run to run would make hypothesis draw differently, too.
    """
    ordered = sorted(ranks)
    while 0 < limit < len(ordered) and ordered[limit] == ordered[limit - 1]:
        limit += 1
    return limit
