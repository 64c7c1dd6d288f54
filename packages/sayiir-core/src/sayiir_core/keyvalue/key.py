"""The layout of the keys.

=====================================================  ==========================================
``i/INSTANCE``                                         the document of an instance id
``u/RUN``                                              the birth of a run: its id, where it is listed
``c/AGE/RUN``                                          the listing of runs, newest first
``p/RUN``                                              the input of a run
``w/RUN/REVISION/POSITION/DIGEST``                     an execution record with its output
``x/RUN/NODE/TURNS/ATTEMPT``                           which record counts
``z/RUN/SCOPE/INDEX``                                  a scope row
``g/INSTANCE/SEQ/REVISION/DIGEST``                     the payload of a signal
``y/INSTANCE/SEQ``                                     which payload a consumed signal has
``q/LANE/PRIORITY/DUE/REVISION/INSTANCE/SCOPE/INDEX``  a hint: something may be claimable
``h/SESSION/INSTANCE/REVISION``                        a hint: the session may hold something
``s/SESSION``, ``e/SESSION``                           a session, while it lives and afterwards
``d/WORKFLOW/HASH``, ``f/WORKFLOW/HASH/FINGERPRINT``   a definition, and one with another policy
=====================================================  ==========================================

``REVISION`` is the revision of the document that acknowledges the key. A document's revision only
grows, and each is written at most once. So a key of a revision that is already reached is decided:
either the document (or the index) names it, or nothing ever will, and it may be deleted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sayiir_core.ids import Index, InstanceId, RunId, SessionId
from sayiir_core.snapshot.head import CursorKey, Lane
from sayiir_core.workflow.definition import DefinitionIdentity

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_END_OF_TIME: Final = 10**19

INSTANCES: Final = "i/"
LISTING: Final = "c/"
SESSIONS: Final = "s/"


def instance_key(instance_id: InstanceId) -> str:
    """Return the key of an instance's document."""
    return f"i/{instance_id}"


def instance_of(key: str) -> InstanceId:
    """Return the instance id in the key of a document."""
    return InstanceId(key.removeprefix(INSTANCES))


def birth_key(run_id: RunId) -> str:
    """Return the key that leads from a run to its instance."""
    return f"u/{run_id}"


def listing_key(created_at: datetime, run_id: RunId) -> str:
    """Return the place of a run in the listing, which goes from the newest to the oldest."""
    return f"c/{_END_OF_TIME - _micros(created_at):020d}/{run_id}"


def created_before_key(instant: datetime) -> str:
    """Return a key behind all runs in the listing that were created at the instant or later."""
    return f"c/{_END_OF_TIME - _micros(instant):020d}/~"


def input_key(run_id: RunId) -> str:
    """Return the key of a run's input."""
    return f"p/{run_id}"


def rows_prefix(run_id: RunId) -> str:
    """Return what the keys of all records of a run start with."""
    return f"w/{run_id}/"


def row_key(run_id: RunId, revision: int, position: int, digest: str) -> str:
    """Return the key of a record that a revision shall acknowledge."""
    return f"w/{run_id}/{_number(revision)}/{position:04d}/{digest}"


def row_revision_key(run_id: RunId, revision: int) -> str:
    """Return a key behind all records up to a revision."""
    return f"w/{run_id}/{_number(revision)}/~"


def revision_of_row(key: str) -> int:
    """Return the revision in a record's key."""
    return int(key.split("/")[2])


def index_prefix(run_id: RunId) -> str:
    """Return what the index of a run's records starts with."""
    return f"x/{run_id}/"


def scopes_prefix(run_id: RunId) -> str:
    """Return what the scope rows of a run start with."""
    return f"z/{run_id}/"


def node_prefix(run_id: RunId, node: int) -> str:
    """Return what the index of all attempts at a node starts with."""
    return f"x/{run_id}/{_number(node)}/"


def step_prefix(run_id: RunId, node: int, turns: Index) -> str:
    """Return what the index of all attempts at a step starts with."""
    return f"x/{run_id}/{_number(node)}/{_numbers(turns)}/"


def attempt_key(run_id: RunId, node: int, turns: Index, attempt: int) -> str:
    """Return the index entry of an attempt."""
    return f"{step_prefix(run_id, node, turns)}{_number(attempt)}"


def turns_of_attempt(key: str) -> Index:
    """Return the turns in an attempt's key."""
    turns = key.split("/")[3]
    return tuple(int(turn) for turn in turns.split(".")) if turns else ()


def scope_key(run_id: RunId, scope: int, index: Index) -> str:
    """Return the key of a scope row."""
    return f"z/{run_id}/{_number(scope)}/{_numbers(index)}"


def signal_prefix(instance_id: InstanceId) -> str:
    """Return what the keys of all signal payloads of an instance id start with."""
    return f"g/{_escape(instance_id)}/"


def signal_key(instance_id: InstanceId, seq: int, revision: int, digest: str) -> str:
    """Return the key of a signal's payload that a revision shall acknowledge."""
    return f"{signal_prefix(instance_id)}{_number(seq)}/{_number(revision)}/{digest}"


def consumed_prefix(instance_id: InstanceId) -> str:
    """Return what the index of consumed signals of an instance id starts with."""
    return f"y/{_escape(instance_id)}/"


def consumed_key(instance_id: InstanceId, seq: int) -> str:
    """Return the index entry of a consumed signal."""
    return f"{consumed_prefix(instance_id)}{_number(seq)}"


def seq_of_signal(key: str) -> int:
    """Return the number in the key of a signal's payload or index entry."""
    return int(key.split("/")[2])


def lane_prefix(lane: Lane) -> str:
    """Return what all hints of a lane start with."""
    workflow_id, structure_hash = lane.identity
    return f"q/{_escape(workflow_id)}/{structure_hash}/{_escape(lane.group)}/"


def due_prefix(lane: Lane, priority: int, due: datetime) -> str:
    """Return what the hints of a lane, a priority and a due time start with."""
    return f"{lane_prefix(lane)}{_number(priority)}/{_micros(due):020d}/"


def priority_of_hint(prefix: str, key: str) -> int:
    """Return the priority in the key of a hint, given the prefix of its lane."""
    return int(key[len(prefix) :].split("/", maxsplit=1)[0])


def priority_prefix(prefix: str, priority: int) -> str:
    """Return what the hints of a lane's priority start with."""
    return f"{prefix}{_number(priority)}/"


def due_of_hint(prefix: str, key: str) -> datetime:
    """Return the due time in the key of a hint, given the prefix of its lane."""
    return _EPOCH + int(key[len(prefix) :].split("/")[1]) * _MICROSECOND


def queue_key(due: str, revision: int, instance_id: InstanceId, cursor: CursorKey) -> str:
    """Return the hint of a cursor, given ``due_prefix``."""
    scope, index = cursor
    place = f"{_number(scope)}/{_numbers(index)}"
    return f"{due}{_number(revision)}/{_escape(instance_id)}/{place}"


def revision_of_queue(key: str) -> int:
    """Return the revision in the key of a queue hint."""
    return int(key.split("/")[6])


def holds_prefix(session_id: SessionId) -> str:
    """Return what all hints of a session start with."""
    return f"h/{_escape(session_id)}/"


def hold_key(session_id: SessionId, instance_id: InstanceId, revision: int) -> str:
    """Return the hint that a session may hold something of an instance."""
    return f"{holds_prefix(session_id)}{_escape(instance_id)}/{_number(revision)}"


def revision_of_hold(key: str) -> int:
    """Return the revision in the key of a session's hint."""
    return int(key.rsplit("/", 1)[1])


def session_key(session_id: SessionId) -> str:
    """Return the key of a session that lives, or whose end is not complete."""
    return f"s/{_escape(session_id)}"


def ended_key(session_id: SessionId) -> str:
    """Return the key of a session whose end is complete."""
    return f"e/{_escape(session_id)}"


def definition_key(identity: DefinitionIdentity) -> str:
    """Return the key of a definition."""
    return f"d/{_escape(identity.workflow_id)}/{identity.structure_hash}"


def policy_key(identity: DefinitionIdentity, fingerprint: str) -> str:
    """Return the key of a definition with one of its policies."""
    return f"f/{_escape(identity.workflow_id)}/{identity.structure_hash}/{fingerprint}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")


def _number(number: int) -> str:
    return f"{number:016d}"


def _numbers(index: Index) -> str:
    return ".".join(f"{number:010d}" for number in index)


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
