"""The conditions in which a live instance can be, and what helps in each."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from sayiir_core.ids import InstanceId


class Condition(StrEnum):
    """The closed list of what a cursor, or an instance as a whole, can be in.

    The last five are those of an instance that rests, or that is about to.
    """

    CLAIMABLE = "claimable"
    UNSERVED = "unserved"
    RESERVED = "reserved"
    EXECUTING = "executing"
    SILENT = "silent"
    DUE = "due"
    AWAITING = "awaiting"
    JOINING = "joining"
    OWNED = "owned"
    STOPPING = "stopping"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


def advice(condition: Condition, instance_id: InstanceId, *, signal: str | None = None) -> str:
    """Return what to do next; ``signal`` is the one that a cursor waits for."""
    resume = f"resume_workflow(workflow, {instance_id!r}, backend)"
    match condition:
        case Condition.CLAIMABLE:
            return f"wait for a worker, or call {resume}"
        case Condition.UNSERVED:
            return f"start a worker that serves it, or call {resume}"
        case Condition.RESERVED | Condition.EXECUTING:
            return "wait for its next checkpoint"
        case Condition.SILENT:
            return f"look after that process; another worker takes over, or call {resume}"
        case Condition.DUE:
            return "wait; whoever drives the instance goes on when it is due"
        case Condition.AWAITING:
            return f"call send_signal({instance_id!r}, {signal!r}, payload, backend)"
        case Condition.JOINING:
            return "see what its branches wait for"
        case Condition.OWNED:
            return "wait for that runner, or stop it to let others go on"
        case Condition.STOPPING:
            return "wait until its running task ends"
        case Condition.PAUSED:
            return f"call unpause_workflow({instance_id!r}, backend)"
        case Condition.FAILED:
            return f"mend the cause, then call retry_workflow(workflow, {instance_id!r}, backend)"
        case Condition.CANCELLED:
            return "nothing; run it with conflict_policy='terminate_existing' to start afresh"
        case Condition.COMPLETED:
            return "nothing; its status holds the output"
        case _:
            assert_never(condition)
