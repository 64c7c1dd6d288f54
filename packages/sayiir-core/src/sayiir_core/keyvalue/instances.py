"""Create, load, list and prune runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import islice

from sayiir_core.errors import RefusedRowError
from sayiir_core.ids import InstanceId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Decision, Documents, head_of
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.session import require_live
from sayiir_core.keyvalue.sweep import birth_value, delete_run
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.instances import (
    Created,
    Exists,
    InstancePage,
    InstanceQuery,
    NewInstance,
)
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.head import Head, Header, InstanceState


class KeyValueInstances:
    """The instance port over documents."""

    __slots__ = ("_clock", "_documents")

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create each run, or answer which one has its id."""
        for new in batch:
            if new.owner is not None:
                require_live(self._documents.store, new.owner)
        return [self._create(new) for new in batch]

    def _create(self, new: NewInstance) -> Created | Exists:
        now = self._clock.now()
        try:
            answer = self._documents.change(new.instance_id, partial(_decide, new, now))
        except RefusedRowError:
            delete_run(self._documents.store, new.run_id)
            raise
        if isinstance(answer, Exists) and answer.head.header.run_id != new.run_id:
            # Somebody else won after this run's first rows had been written.
            delete_run(self._documents.store, new.run_id)
        return answer

    def load(self, instance_id: InstanceId) -> Head:
        """Return the head."""
        return head_of(self._documents.read(instance_id), instance_id)

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return the headers, None for an unknown instance; a key-value store is asked for each."""
        heads = [self._documents.read(instance_id).head for instance_id in instance_ids]
        return [None if head is None else head.header for head in heads]

    def select(self, query: InstanceQuery) -> InstancePage:
        """Return one page of headers, newest first."""
        matching: list[tuple[str, Header]] = []
        for place, instance_id in scan_all(
            self._documents.store, key.LISTING, after=_beginning(query)
        ):
            head = self._documents.read(InstanceId(instance_id.decode())).head
            if head is None or not place.endswith(f"/{head.header.run_id}"):
                continue
            if query.created_after is not None and head.header.created_at <= query.created_after:
                break
            if query.selects(head.header):
                matching.append((place, head.header))
            if len(matching) > query.limit:
                break
        page = matching[: query.limit]
        more = len(matching) > query.limit
        return InstancePage([header for _, header in page], page[-1][0] if more else None)

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` runs that ended before an instant, with all that is theirs."""
        listed = scan_all(self._documents.store, key.LISTING)
        ids = (InstanceId(instance_id.decode()) for _, instance_id in listed)
        ended = (it for it in ids if _prunable(self._documents.read(it).head, finished_before))
        decide = partial(_remove, finished_before)
        pruned = (it for it in ended if self._documents.change(it, decide))
        return sum(1 for _ in islice(pruned, limit))


def _decide(
    new: NewInstance, now: datetime, document: InstanceDocument
) -> Decision[Created | Exists]:
    trash = []
    if document.head is not None:
        if not new.replace or document.head.header.run_id == new.run_id:
            return Decision(Exists(document.head), write=False)
        trash = [document.head.header.run_id]
        document.drop_signals()
    header = _header(new, now)
    head, claim = born(header, node=new.node, group=new.group, priority=new.priority)
    document.take_head(head)
    # A hint of the former run may be for the very same instant, and says whom that run avoided.
    document.queued = {}
    puts = {
        key.birth_key(new.run_id): birth_value(new.instance_id, now, new.run_id),
        key.input_key(new.run_id): new.input,
        key.listing_key(now, new.run_id): new.instance_id.encode(),
    }
    return Decision(Created(head, claim), puts=puts, trash=trash)


def _remove(finished_before: datetime, document: InstanceDocument) -> Decision[bool]:
    head = document.head
    if head is None or not _prunable(head, finished_before):
        return Decision(answer=False, write=False)
    document.head = None
    document.drop_signals()
    return Decision(answer=True, trash=[head.header.run_id])


def _header(new: NewInstance, now: datetime) -> Header:
    return Header(
        instance_id=new.instance_id,
        run_id=new.run_id,
        identity=new.identity,
        policy_fingerprint=new.policy_fingerprint,
        owner=new.owner,
        labels=dict(new.labels),
        trace_parent=new.trace_parent,
        created_at=now,
    )


def _beginning(query: InstanceQuery) -> str | None:
    if query.after is not None and not query.after.startswith(key.LISTING):
        raise ValueError(f"{query.after[:80]!r} is not the `next` of a page of this store")
    if query.created_before is None:
        return query.after
    return max(query.after or "", key.created_before_key(query.created_before))


def _prunable(head: Head | None, finished_before: datetime) -> bool:
    if head is None or head.executing or head.header.finished_at is None:
        return False
    final = (InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED)
    return head.header.state in final and head.header.finished_at < finished_before
