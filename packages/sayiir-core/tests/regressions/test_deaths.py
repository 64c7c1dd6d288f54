"""Deaths are charged to bodies that started, and to no others."""

from __future__ import annotations

from datetime import UTC, datetime

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.snapshot.answer import HELD
from sayiir_core.snapshot.apply import apply
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.control import bereave, pause, unpause
from sayiir_core.snapshot.effect import Checkpoint, Start
from sayiir_core.snapshot.head import Header
from sayiir_core.snapshot.motion import grant
from sayiir_core.workflow.definition import DefinitionIdentity

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_start_that_a_pause_stopped_leaves_no_mark() -> None:
    """The mark once stayed, and the next session's death was charged to a body never started."""
    header = Header(
        instance_id=InstanceId("i"),
        run_id=RunId("r"),
        identity=DefinitionIdentity(WorkflowId("w"), "h"),
        policy_fingerprint="p",
        created_at=NOW,
    )
    head, _ = born(header, node=0, group="", priority=3)
    cursor = next(iter(head.cursors.values()))
    cursor.deaths = (SessionId("first"),)
    claim = grant(head, cursor, SessionId("second"))
    pause(head, reason=None, by=None)

    answer = apply(head, Checkpoint(claim.lease, claim.cursor.seq, (Start(),)), NOW).answer
    unpause(head)
    grant(head, cursor, SessionId("third"))
    bereave(head, SessionId("third"))

    assert HELD == answer
    assert (SessionId("first"),) == cursor.deaths
