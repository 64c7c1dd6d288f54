"""The store under test, and what every test needs around it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Final

import pytest

from sayiir_core.ids import InstanceId, RunId, RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.ports.ownership import Owned
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Cursor, CursorKey, Head, Lane
from sayiir_core.snapshot.reference import Leaf
from sayiir_core.snapshot.step import StepRow
from sayiir_core.workflow.definition import Definition
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.sample import linear

TTL: Final = timedelta(seconds=30)
"""The lease of a session unless a test says otherwise."""


class Rig:
    """Hold one store under test with a clock, a default definition and shorthands.

    Names are fresh in each process, so that tests may share one database.
    """

    def __init__(
        self,
        make: Callable[[], Backend],
        clock: VirtualClock,
        *,
        payload_limit: int | None = None,
    ) -> None:
        """Build the backend; ``make`` builds one more on the same place each time."""
        self._make = make
        self._payload_limit = payload_limit
        self._others: list[Backend] = []
        self.clock = clock
        self.backend = make()
        self.definition = self.define()
        self._claims = count(1)

    def close(self) -> None:
        """Close every backend that was built."""
        for backend in (*self._others, self.backend):
            backend.close()

    def reopen(self) -> Backend:
        """Close the backend and go on with a new one on the same place."""
        self.backend.close()
        self.backend = self._make()
        return self.backend

    def other(self) -> Backend:
        """Return a second backend on the same place, as another process would have it."""
        backend = self._make()
        self._others.append(backend)
        return backend

    def too_large(self) -> bytes:
        """Return a payload one byte over the store's limit; skip the test if it has none."""
        if self._payload_limit is None:
            pytest.skip("the store has no payload limit worth testing")
        return bytes(self._payload_limit + 1)

    # --- what must exist before anything can run --------------------------------------------

    def name(self, prefix: str = "it") -> str:
        """Return a name that no test of any process used before."""
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    def define(self, *, tasks: int = 3) -> Definition:
        """Store and return a new linear definition; its lanes belong to this test alone."""
        definition = linear(self.name("flow"), tasks=tasks)
        self.backend.definitions.save(definition)
        return definition

    def session(
        self, *, ttl: timedelta = TTL, worker: str = "worker", lanes: Sequence[Lane] = ()
    ) -> SessionId:
        """Register a session, by default one that serves no lane."""
        new = NewSession(
            session_id=SessionId(self.name("session")),
            worker_id=worker,
            ttl=ttl,
            lanes=tuple(lanes),
        )
        self.backend.sessions.register(new)
        return new.session_id

    def steady_session(self) -> SessionId:
        """Register a session that may reap by now; everybody else has let a lease expire."""
        steady = self.session()
        for _ in range(4):
            self.clock.advance(TTL / 3)
            assert self.backend.sessions.renew(steady)
        return steady

    def new(
        self,
        instance_id: str | None = None,
        *,
        definition: Definition | None = None,
        value: bytes = b"in",
        node: int = 0,
        group: str = "",
        priority: int = 3,
        owner: SessionId | None = None,
        replace: bool = False,
        labels: dict[str, str] | None = None,
        trace_parent: str | None = None,
    ) -> NewInstance:
        """Return a run to create, with a fresh run id."""
        definition = definition or self.definition
        return NewInstance(
            instance_id=InstanceId(instance_id or self.name()),
            run_id=RunId(str(uuid.uuid4())),
            identity=definition.identity,
            policy_fingerprint=definition.policy_fingerprint,
            input=value,
            node=node,
            group=group,
            priority=priority,
            owner=owner,
            replace=replace,
            labels=labels or {},
            trace_parent=trace_parent,
        )

    def create(self, new: NewInstance) -> Created:
        """Create one run; ``AssertionError`` if its id is taken."""
        answer = self.backend.instances.create([new])[0]
        assert isinstance(answer, Created), answer
        return answer

    def try_create(self, new: NewInstance) -> Created | Exists:
        """Create one run if its id is free."""
        return self.backend.instances.create([new])[0]

    # --- taking cursors ------------------------------------------------------------------------

    def lane(self, group: str = "", definition: Definition | None = None) -> Lane:
        """Return a lane of the default definition, or of another."""
        return Lane((definition or self.definition).identity, group)

    def claim_no(self) -> int:
        """Return a fresh number for a claim call."""
        return next(self._claims)

    def claim(
        self,
        session: SessionId,
        *groups: str,
        limit: int = 100,
        definition: Definition | None = None,
        claim_no: int | None = None,
    ) -> list[Claim]:
        """Claim for a pool from lanes of one definition, by default the untagged one."""
        lanes = [self.lane(group, definition) for group in groups or ("",)]
        number = self.claim_no() if claim_no is None else claim_no
        return self.backend.claims.claim(session, number, lanes, limit)

    def take(self, session: SessionId | None = None, *groups: str) -> Hand:
        """Claim exactly one cursor for a pool; ``AssertionError`` if none is due."""
        claims = self.claim(session or self.session(), *groups, limit=1)
        assert len(claims) == 1, "nothing was claimable"
        return Hand(self.backend, claims[0])

    def take_all(self, session: SessionId | None = None) -> list[Hand]:
        """Claim everything that is due, in key order."""
        claims = self.claim(session or self.session())
        hands = [Hand(self.backend, claim) for claim in claims]
        return sorted(hands, key=lambda hand: (hand.instance_id, hand.key))

    def start(self, session: SessionId | None = None, *, instance_id: str | None = None) -> Hand:
        """Create a run and claim its cursor for a pool."""
        created = self.create(self.new(instance_id))
        hand = self.take(session)
        assert hand.instance_id == created.head.header.instance_id
        return hand

    def start_owned(self, session: SessionId | None = None) -> Hand:
        """Create a run that is born owned, and hold its cursor."""
        created = self.create(self.new(owner=session or self.session()))
        assert created.claim is not None
        return Hand(self.backend, created.claim)

    def own(self, session: SessionId, instance_id: InstanceId) -> Head:
        """Take an instance; ``AssertionError`` if it is busy."""
        answer = self.backend.ownership.own(session, instance_id)
        assert isinstance(answer, Owned), answer
        return answer.head

    def claim_owned(
        self, session: SessionId, instance_id: InstanceId, *, limit: int = 100
    ) -> list[Hand]:
        """Claim what is due of the run that an owned instance has now."""
        run = self.run(instance_id)
        claims = self.backend.ownership.claim_owned(session, self.claim_no(), run, limit)
        return [Hand(self.backend, claim) for claim in claims]

    # --- looking -------------------------------------------------------------------------------

    def load(self, instance_id: str) -> Head:
        """Return the stored head."""
        return self.backend.instances.load(InstanceId(instance_id))

    def run(self, instance_id: str) -> RunKey:
        """Return the key of the run that an instance has now."""
        header = self.load(instance_id).header
        return RunKey(header.instance_id, header.run_id)

    def root(self, instance_id: str) -> Cursor:
        """Return the stored cursor of the root scope."""
        return self.load(instance_id).cursors[CursorKey(0, ())]

    def history(self, run_id: RunId) -> list[StepRow]:
        """Return every record of a run, in the order in which they were written."""
        rows: list[StepRow] = []
        after: str | None = None
        while True:
            page = self.backend.results.steps(run_id, after=after, limit=7)
            rows.extend(page.rows)
            if page.next is None:
                return rows
            after = page.next

    def payloads(self, hand: Hand, *leaves: Leaf) -> list[bytes | None]:
        """Return payloads of a hand's run."""
        return self.backend.results.payloads(hand.instance_id, hand.run_id, leaves)
