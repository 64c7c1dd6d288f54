"""Listing instances by keyset pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypedDict

from sayiir_core.authoring import Workflow
from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ids import WorkflowId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import Head, Header, InstanceState
from sayiir_core.snapshot.status import StatusWord
from sayiir_runtime.gate import checked_instant, checked_labels
from sayiir_runtime.status import describe_status

MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSummary:
    """What a listing tells of an instance.

    ``status`` is a status word. A cancel, a pause or a failure counts as soon as it is stored, also
    while a last task still runs; ``status(id)`` says ``in_progress`` until that has ended.
    """

    instance_id: str
    run_id: str
    workflow_id: str
    definition_hash: str
    status: str
    labels: dict[str, str] = field(default_factory=dict[str, str])
    error: str | None = None
    failed_task: str | None = None
    reason: str | None = None
    wake_at: datetime | None = None
    signal_name: str | None = None
    created_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """One page of a listing; ``next`` continues it, None at the end. A page may be empty."""

    summaries: list[InstanceSummary]
    next: str | None


class Filters(TypedDict, total=False):
    """What a listing selects by: all that is given must hold.

    ``workflow`` is a workflow or its id, of whatever version. ``status`` is a status word. ``labels``
    are those that an instance must have, among others. ``error_contains`` looks in the type and
    the message of its error, whatever the case. The instants need a time zone.
    """

    status: str | None
    labels: Mapping[str, str] | None
    id_prefix: str | None
    error_contains: str | None
    created_after: datetime | None
    created_before: datetime | None


class Listing:
    """One listing of a backend, newest first.

    The words ``in_progress``, ``waiting`` and ``awaiting_signal`` are not stored but derived from
    an instance's cursors. So each instance that runs costs a read of its own, and where one of
    these words is asked for, pages are filtered and may come out short, or empty.
    """

    def __init__(
        self,
        backend: Backend,
        workflow: Workflow[Any, Any] | str | None,
        filters: Filters,
    ) -> None:
        self._backend = backend
        _check_names(filters)
        word = filters.get("status")
        self._word = None if word is None else _status_word(word)
        self._query = InstanceQuery(
            workflow_id=_workflow_id(workflow),
            state=None if self._word is None else _STATES.get(self._word, InstanceState.RUNNING),
            id_prefix=_text(filters.get("id_prefix"), "id_prefix"),
            labels=checked_labels(filters.get("labels"), "the listing"),
            error_contains=_text(filters.get("error_contains"), "error_contains"),
            created_after=checked_instant(filters.get("created_after"), "created_after"),
            created_before=checked_instant(filters.get("created_before"), "created_before"),
        )

    def page(self, *, after: str | None = None, limit: int = 100) -> SummaryPage:
        """Return one page of up to ``limit`` summaries, 1 to 1,000."""
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"limit must be 1 to {MAX_PAGE}, not {limit!r}")
        query = replace(self._query, after=after, limit=limit)
        page = self._backend.instances.select(query)
        found = (self._summary(header) for header in page.headers)
        return SummaryPage([summary for summary in found if summary is not None], page.next)

    def __iter__(self) -> Iterator[InstanceSummary]:
        after: str | None = None
        while True:
            page = self.page(after=after)
            yield from page.summaries
            after = page.next
            if after is None:
                return

    def _summary(self, header: Header) -> InstanceSummary | None:
        """Return a summary, None if the instance is not selected after all."""
        head = Head(header)
        if header.state is InstanceState.RUNNING:
            try:
                head = self._backend.instances.load(header.instance_id)
            except InstanceNotFoundError:
                return None
        summary = _summarise(head, self._backend.now())
        return summary if self._word is None or self._word == summary.status else None


_STATES: Final = {
    StatusWord.COMPLETED: InstanceState.COMPLETED,
    StatusWord.FAILED: InstanceState.FAILED,
    StatusWord.CANCELLED: InstanceState.CANCELLED,
    StatusWord.PAUSED: InstanceState.PAUSED,
}
"""The words that are stored; the others are those of a running instance."""


def _summarise(head: Head, now: datetime) -> InstanceSummary:
    header = head.header
    is_running = header.state is InstanceState.RUNNING
    status = describe_status(head if is_running else Head(header), None, now=now)
    return InstanceSummary(
        instance_id=header.instance_id,
        run_id=header.run_id,
        workflow_id=header.identity.workflow_id,
        definition_hash=header.identity.structure_hash,
        status=status.status,
        labels=header.labels,
        error=status.error,
        failed_task=status.failed_task,
        reason=status.reason,
        wake_at=status.wake_at,
        signal_name=status.signal_name,
        created_at=header.created_at,
        finished_at=header.finished_at,
    )


def _check_names(filters: Filters) -> None:
    known = Filters.__annotations__
    unknown = ", ".join(map(repr, filters.keys() - known.keys()))
    if unknown:
        raise TypeError(f"{unknown} cannot be listed by; give workflow, {', '.join(known)}")


def _text(value: str | None, what: str) -> str | None:
    if value is not None and not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    return value


def _status_word(word: str) -> StatusWord:
    try:
        return StatusWord(word)
    except ValueError:
        words = ", ".join(repr(each.value) for each in StatusWord)
        raise ValueError(f"status must be one of {words}, not {word!r}") from None


def _workflow_id(workflow: Workflow[Any, Any] | str | None) -> WorkflowId | None:
    match workflow:
        case None:
            return None
        case str():
            return WorkflowId(workflow)
        case Workflow():
            return workflow.definition.workflow_id
        case _:
            raise TypeError(f"workflow must be a workflow or its id, not {type(workflow).__name__}")
