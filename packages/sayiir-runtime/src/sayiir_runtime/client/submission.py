"""Storing runs for workers to take: checked at the gate, created in batches, called by nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.errors import BackendError, EncodeError, RefusedRowError, WorkflowError
from sayiir_core.ids import RunKey, check_instance_id
from sayiir_core.policy import ConflictPolicy
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.status import status_of
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.conflict import already_exists, check_definition
from sayiir_runtime.gate import built_workflow, checked_labels
from sayiir_runtime.instrumented import instrument_of
from sayiir_runtime.observe import Observer
from sayiir_runtime.run_id import new_run_id
from sayiir_runtime.runner.lease import keeper_of
from sayiir_runtime.runner.program import program_of
from sayiir_runtime.status import WorkflowStatus

CHUNK: Final = 1000
"""How many runs one call of a store creates."""

Stored = RunKey | WorkflowStatus
"""A run that was created now, or the status of the one that is used instead."""


class Submission:
    """Submit runs of one workflow under one policy, all with the same labels."""

    def __init__(
        self,
        backend: Backend,
        codec: PayloadCodec,
        workflow: Workflow[Any, Any],
        *,
        policy: ConflictPolicy,
        labels: Mapping[str, str] | None,
    ) -> None:
        self._backend = backend
        self._observer = Observer(backend, codec)
        self._program = program_of(built_workflow(workflow), codec, instrument_of(backend))
        self._labels = checked_labels(labels, f"a run of workflow {workflow.workflow_id!r}")
        self._policy = policy
        self._outage: BackendError | None = None

    def one(self, instance_id: str, value: Any) -> Stored:
        """Store one run, or raise why not."""
        new = self._new(instance_id, value)
        self._save_definition()
        return self._answer(new, self._backend.instances.create([new])[0])

    def many(self, items: Iterable[tuple[str, Any]]) -> list[Stored | Exception]:
        """Store up to ``CHUNK`` runs by one call; what is stored or an error for each, in order.

        After an error of the store nothing more is sent to it: the rest gets that error.
        """
        checked = [self._outage or self._checked(item) for item in items]
        created = iter(self._created([new for new in checked if isinstance(new, NewInstance)]))
        return [
            self._settled(new, next(created)) if isinstance(new, NewInstance) else new
            for new in checked
        ]

    def _checked(self, item: Any) -> NewInstance | Exception:
        match item:
            case (instance_id, value):
                try:
                    return self._new(instance_id, value)
                except (TypeError, ValueError) as error:
                    return error
            case _:
                workflow = self._program.workflow_id
                return TypeError(
                    f"runs of workflow {workflow!r} are submitted as pairs of instance id and "
                    f"input, not as {type(item).__name__}"
                )

    def _new(self, instance_id: Any, value: Any) -> NewInstance:
        definition = self._program.definition
        workflow_id = definition.workflow_id
        try:
            checked = check_instance_id(instance_id)
        except (TypeError, ValueError) as error:
            raise type(error)(f"a run of workflow {workflow_id!r}: {error}") from None
        run = RunKey(checked, new_run_id())
        try:
            payload = self._program.encode_input(value, run)
        except EncodeError as error:
            raise EncodeError(
                f"the input of instance {checked!r} of workflow {workflow_id!r}: {error}"
            ) from error
        first = definition.nodes[definition.scopes[0].first]
        return NewInstance(
            instance_id=checked,
            run_id=run.run_id,
            identity=definition.identity,
            policy_fingerprint=definition.policy_fingerprint,
            input=payload,
            node=first.ordinal,
            group=first.group,
            priority=first.priority,
            replace=self._policy is ConflictPolicy.TERMINATE_EXISTING,
            labels=self._labels,
        )

    def _save_definition(self) -> None:
        keeper_of(self._backend).save_definition(self._program.definition)

    def _created(self, batch: list[NewInstance]) -> list[Created | Exists | Exception]:
        if not batch:
            return []
        try:
            self._save_definition()
            return [*self._create(batch)]
        except BackendError as error:
            self._outage = error
            return [error] * len(batch)

    def _create(self, batch: list[NewInstance]) -> list[Created | Exists | Exception]:
        """Create a batch; one that the store refuses is found by halving and refused alone."""
        try:
            return [*self._backend.instances.create(batch)]
        except RefusedRowError as error:
            if len(batch) == 1:
                return [error]
            half = len(batch) // 2
            return self._create(batch[:half]) + self._create(batch[half:])

    def _settled(
        self, new: NewInstance, answer: Created | Exists | Exception
    ) -> Stored | Exception:
        if isinstance(answer, Exception):
            return answer
        try:
            return self._answer(new, answer)
        except WorkflowError as error:
            return error

    def _answer(self, new: NewInstance, answer: Created | Exists) -> Stored:
        # A run that was stored by a call whose answer was lost exists, and is the very same.
        if isinstance(answer, Created) or answer.head.header.run_id == new.run_id:
            return RunKey(new.instance_id, new.run_id)
        return self._existing(answer.head)

    def _existing(self, head: Head) -> WorkflowStatus:
        header = head.header
        stored, ours = header.identity, self._program.definition.identity
        if self._policy is ConflictPolicy.FAIL:
            word = status_of(head, self._backend.now())
            raise already_exists(header.instance_id, word.value, stored=stored, ours=ours)
        check_definition(header.instance_id, stored=stored, ours=ours)
        return self._observer.status_of_head(head, self._program.definition)


def chunks(items: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """Cut items into lists of up to ``CHUNK``, taking them when they are asked for."""
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
