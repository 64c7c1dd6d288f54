"""The client for threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar, Unpack

from sayiir_core.authoring import Workflow
from sayiir_core.policy import ConflictPolicy
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.status import StatusWord
from sayiir_runtime.client.following import Follower
from sayiir_runtime.client.handle import SubmittedStatus, WorkflowHandle
from sayiir_runtime.client.listing import Filters, InstanceSummary, Listing, SummaryPage
from sayiir_runtime.client.submission import Stored, Submission, chunks
from sayiir_runtime.client.watcher import Mark
from sayiir_runtime.gate import checked_backend
from sayiir_runtime.operations import Operations
from sayiir_runtime.payloads import CodecChoice, resolve_codec
from sayiir_runtime.status import WorkflowStatus

In = TypeVar("In")
Handles = list[WorkflowHandle | Exception]


class WorkflowClient(Operations):
    """Submit, follow, control and observe instances; workers run them, this never does.

    ``conflict_policy`` says what ``submit`` does if an instance id is taken: ``"fail"`` (by
    default), ``"use_existing"`` or ``"terminate_existing"``. One client serves any number of
    threads. However many results are awaited, one thread watches for all of them.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        conflict_policy: ConflictPolicy | str | None = None,
        codec: CodecChoice = None,
    ) -> None:
        codec = resolve_codec(codec)
        super().__init__(checked_backend(backend), codec=codec)
        self.follower: Final = Follower(backend, codec)
        self._policy = ConflictPolicy(conflict_policy or ConflictPolicy.FAIL)

    def submit(
        self,
        workflow: Workflow[In, Any],
        instance_id: str,
        input: In,  # noqa: A002 - the word of the public contract
        *,
        labels: Mapping[str, str] | None = None,
        conflict_policy: ConflictPolicy | str | None = None,
    ) -> WorkflowHandle:
        """Store a run for the workers and return at once; no task is called here.

        Raises ``InstanceAlreadyExistsError`` (policy ``fail``), ``WorkflowError`` if the existing
        run is of another definition (``use_existing``), ``TypeError`` or ``ValueError`` for bad
        ids, labels and inputs, ``BackendError``.
        """
        submission = self.submission(workflow, labels, conflict_policy)
        unended = self.follower.watcher.mark()
        return self._handle(submission.one(instance_id, input), unended)

    def submit_many(
        self,
        workflow: Workflow[In, Any],
        items: Iterable[tuple[str, In]],
        *,
        labels: Mapping[str, str] | None = None,
        conflict_policy: ConflictPolicy | str | None = None,
    ) -> Handles:
        """Store many runs, 1,000 per call of the store; returns a handle or an error for each.

        ``items`` are pairs of instance id and input, and are taken as they are needed. An error
        is what ``submit`` would raise. After a store that failed nothing more is sent to it: the
        rest gets its error, and may be submitted again under ``use_existing``.
        """
        submission = self.submission(workflow, labels, conflict_policy)
        handles: Handles = []
        for chunk in chunks(items):
            handles += self.submit_chunk(submission, chunk)
        return handles

    def handle(self, instance_id: str) -> WorkflowHandle:
        """Return a handle of the instance's present run; raises ``InstanceNotFoundError``."""
        return self._handle(self.status(instance_id))

    def page(
        self,
        workflow: Workflow[Any, Any] | str | None = None,
        *,
        after: str | None = None,
        limit: int = 100,
        **filters: Unpack[Filters],
    ) -> SummaryPage:
        """Return one page of ``list``; ``after`` is the ``next`` of the page before."""
        return self.listing(workflow, filters).page(after=after, limit=limit)

    def list(
        self, workflow: Workflow[Any, Any] | str | None = None, **filters: Unpack[Filters]
    ) -> Iterator[InstanceSummary]:
        """Iterate over instances, the newest first, page by page.

        ``workflow`` is a workflow or its id, of whatever version. Further filters, all of which
        must hold, are ``status`` (a status word), ``labels`` (which an instance must have, among
        others), ``id_prefix``, ``error_contains`` (in type and message of its error, whatever the
        case), ``created_after`` and ``created_before`` (with a time zone). What runs costs a read
        per instance, see ``Listing``.
        """
        return iter(self.listing(workflow, filters))

    # What the client for event loops builds on, too.

    def submission(
        self,
        workflow: Workflow[Any, Any],
        labels: Mapping[str, str] | None,
        policy: ConflictPolicy | str | None,
    ) -> Submission:
        """Return a submission of runs of one workflow."""
        return Submission(
            self._backend,
            self._codec,
            workflow,
            policy=ConflictPolicy(policy or self._policy),
            labels=labels,
        )

    def submit_chunk(self, submission: Submission, items: Iterable[tuple[str, Any]]) -> Handles:
        """Store one chunk of runs by one call of the store."""
        return [
            stored if isinstance(stored, Exception) else self._handle(stored)
            for stored in submission.many(items)
        ]

    def listing(self, workflow: Workflow[Any, Any] | str | None, filters: Filters) -> Listing:
        """Return a listing; raises ``ValueError`` or ``TypeError`` for bad filters."""
        return Listing(self._backend, workflow, filters)

    def _handle(self, stored: Stored, unended: Mark | None = None) -> WorkflowHandle:
        if isinstance(stored, WorkflowStatus):
            known = {name: getattr(stored, name) for name in _FIELDS}
            status = SubmittedStatus(stored.status, self, stored.instance_id)
            return WorkflowHandle(**known, status=status, operations=self, follower=self.follower)
        return WorkflowHandle(
            instance_id=stored.instance_id,
            run_id=stored.run_id,
            status=SubmittedStatus(StatusWord.IN_PROGRESS.value, self, stored.instance_id),
            operations=self,
            follower=self.follower,
            unended=unended,
        )


_FIELDS: Final = tuple(each.name for each in fields(WorkflowStatus) if each.name != "status")
