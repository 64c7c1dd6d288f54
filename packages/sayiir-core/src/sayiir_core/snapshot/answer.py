"""What a store answers: to a claim, and to a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor
from sayiir_core.snapshot.reference import Leaf
from sayiir_core.workflow.definition import DefinitionIdentity


# Open to positional arguments, like Lease: every claim pays for keywords.
@dataclass(slots=True)
class Claim:
    """The right to advance one cursor, with a private copy of it.

    ``inputs`` holds the small payloads that its input names, as far as the store sent them.
    """

    lease: Lease
    identity: DefinitionIdentity
    cursor: Cursor
    trace_parent: str | None = None
    inputs: dict[Leaf, bytes] = field(default_factory=dict[Leaf, bytes])


class LostReason(StrEnum):
    """Say why a guard no longer holds."""

    REPLACED = "replaced"
    GONE = "gone"
    TAKEN = "taken"
    STALE = "stale"
    SESSION_ENDED = "session_ended"


@dataclass(frozen=True, slots=True)
class Lost:
    """The guard no longer holds and nothing was changed: forget this cursor."""

    why: LostReason


@dataclass(frozen=True, slots=True)
class Committed:
    """The checkpoint is stored.

    ``replayed``: it was already. ``held``: the cursor was released because its instance is
    paused, cancelled or failed. ``claims``: other cursors that this commit made ready and that
    the writer now holds.
    """

    replayed: bool = False
    held: bool = False
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The store can never hold a row of this checkpoint (``why``), and nothing was changed."""

    why: str


Answer = Committed | Lost | Refused

COMMITTED = Committed()
REPLAYED = Committed(replayed=True)
HELD = Committed(held=True)
