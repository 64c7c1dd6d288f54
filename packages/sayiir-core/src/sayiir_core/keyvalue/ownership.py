"""Give whole instances to runners."""

from __future__ import annotations

from functools import partial

from sayiir_core.errors import SessionEndedError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.keyvalue.change import Decision, Documents, head_of
from sayiir_core.keyvalue.claims import KeyValueClaims
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.session import require_live
from sayiir_core.keyvalue.sessions import KeyValueSessions
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.motion import grant


class KeyValueOwnership:
    """The ownership port over documents."""

    __slots__ = ("_claims", "_clock", "_documents", "_sessions")

    def __init__(
        self,
        documents: Documents,
        claims: KeyValueClaims,
        sessions: KeyValueSessions,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._claims = claims
        self._sessions = sessions
        self._clock = clock

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take the instance unless another session holds any of it."""
        head, holder = self._documents.change(
            instance_id, partial(self._decide, session, instance_id)
        )
        if holder is None:
            return Owned(head)
        view = self._sessions.view(holder)
        if view is None:
            raise SessionEndedError(holder)
        return Busy(head, view)

    def _decide(
        self, session: SessionId, instance_id: InstanceId, document: InstanceDocument
    ) -> Decision[tuple[Head, SessionId | None]]:
        head = head_of(document, instance_id)
        require_live(self._documents.store, session)
        before = head.header.owner
        holder = control.own(head, session)
        return Decision((head, holder), write=head.header.owner != before)

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of an owned run, the longest due first."""
        decide = partial(self._claim, session, claim_no, run, limit)
        claims = self._documents.change(run.instance_id, decide)
        self._claims.fill_inputs(claims)
        return claims

    def _claim(
        self,
        session: SessionId,
        claim_no: int,
        run: RunKey,
        limit: int,
        document: InstanceDocument,
    ) -> Decision[list[Claim]]:
        head = document.head
        if head is None or head.header.run_id != run.run_id:
            return Decision([], write=False)
        due = control.due_for_owner(head, session, self._clock.now())[:limit]
        claims = [grant(head, cursor, session, claim_no) for cursor in due]
        return Decision(claims, write=bool(claims))

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership of a run and give back every cursor that it holds."""

        def decide(document: InstanceDocument) -> Decision[None]:
            head = document.head
            if head is None or head.header.run_id != run.run_id or head.header.owner != session:
                return Decision(None, write=False)
            control.disown(head, session)
            return Decision(None)

        self._documents.change(run.instance_id, decide)
