"""The port through which runs are created, read, listed and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Head, Header, InstanceState
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.definition import DefinitionIdentity


# Open to positional arguments, like what is made per step: every run pays for keywords.
@dataclass(slots=True)
class NewInstance:
    """A run to create; its one cursor starts ready at ``node`` of the root scope.

    ``input`` is an enveloped payload. With ``owner`` the run is born owned by that session and
    its cursor reserved for it. With ``replace`` an existing run of this id is ended, with its
    pending signals and requests; without, it wins. ``group`` and ``priority`` are those of the
    first node.
    """

    instance_id: InstanceId
    run_id: RunId
    identity: DefinitionIdentity
    policy_fingerprint: str
    input: bytes
    node: int
    group: str
    priority: int
    owner: SessionId | None = None
    replace: bool = False
    labels: dict[str, str] = field(default_factory=dict[str, str])
    trace_parent: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """The run was created; ``claim`` is set if it was born owned."""

    head: Head
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The instance id is taken, and nothing was changed."""

    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceQuery:
    """What to list: every given condition must hold.

    ``state`` is the stored state. ``error_contains`` looks, whatever the case, in the type and the
    message of the instance's error. Pages go from the newest to the oldest run, ``limit`` at a
    time; ``after`` is the ``next`` of the page before.
    """

    workflow_id: WorkflowId | None = None
    state: InstanceState | None = None
    id_prefix: str | None = None
    labels: dict[str, str] = field(default_factory=dict[str, str])
    error_contains: str | None = None
    created_before: datetime | None = None
    created_after: datetime | None = None
    after: str | None = None
    limit: int = 100

    def selects(self, header: Header) -> bool:
        """Tell whether a run meets every condition, whatever the page."""
        return (
            (self.workflow_id is None or header.identity.workflow_id == self.workflow_id)
            and (self.state is None or header.state is self.state)
            and (self.id_prefix is None or header.instance_id.startswith(self.id_prefix))
            and (self.created_before is None or header.created_at < self.created_before)
            and (self.created_after is None or header.created_at > self.created_after)
            and self.labels.items() <= header.labels.items()
            and (self.error_contains is None or _mentions(header.error, self.error_contains))
        )


def _mentions(error: ErrorRecord | None, sought: str) -> bool:
    return error is not None and sought.casefold() in error.text.casefold()


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page of headers; ``next`` continues the listing, None at its end."""

    headers: list[Header]
    next: str | None


class InstanceStore(Protocol):
    """Create, read, list and remove runs."""

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create each run, or answer which one has its id; one answer each, in order.

        Atomic per element; of concurrent creations of one id exactly one wins. Replacing makes
        every guard of the old run fail from then on. The definition must be stored before.
        Raises ``SessionEndedError`` if the owner's session has ended.
        """
        ...

    def load(self, instance_id: InstanceId) -> Head:
        """Return the header and all live cursors, consistent with each other.

        The cost does not depend on the number of finished steps. The inbox need not be filled.
        Raises ``InstanceNotFoundError``.
        """
        ...

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return the header of each instance, None for an unknown one, in one round trip."""
        ...

    def select(self, query: InstanceQuery) -> InstancePage:
        """Return one page of headers, newest first; never skips or repeats an unchanged run."""
        ...

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` runs that ended before an instant, with all that is theirs.

        Takes only completed, failed and cancelled runs with no cursor in a session's hands, each
        in one transaction with its steps, scopes, signals and cursors. Returns how many. A late
        write of a removed run changes nothing.
        """
        ...
