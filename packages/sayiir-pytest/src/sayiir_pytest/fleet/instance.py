"""One submitted instance of a simulation, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sayiir_core.authoring import Workflow
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import NewInstance
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.node import TaskNode
from sayiir_pytest.fleet.watch import Watch
from sayiir_pytest.strategies.expect import Expected
from sayiir_pytest.strategies.plan import Plan
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.input import InputReader
from sayiir_runtime.runner.program import program_of

ENDS = frozenset({InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED})


@dataclass(slots=True, kw_only=True)
class Submitted:
    """An instance, and its current run, counted by ``runs``.

    ``kills_left`` is how many processes the body at ``killer`` kills. The store refuses the
    output of the node ``refused`` for good, and fails on each batch with a step of the node
    ``broken`` until ``broken_until``. ``plan`` is what its workflow was made of, if it was drawn.
    """

    instance_id: InstanceId
    workflow: Workflow[Any, Any]
    value: int
    expected: Expected
    plan: Plan | None = None
    runs: int = 0
    killer: int | None = None
    kills_left: int = 0
    refused: int | None = None
    broken: int | None = None
    broken_until: float = 0.0
    is_cancelled: bool = False
    is_paused: bool = False
    end: str = field(default="")

    def submit(self, backend: Backend) -> None:
        """Store it, as a client does; a run that is there already is replaced."""
        program = program_of(self.workflow, default_codec())
        definition = program.definition
        backend.definitions.save(definition)
        first = definition.nodes[definition.scopes[0].first]
        self.runs += 1
        self.is_cancelled = self.is_paused = False
        backend.instances.create(
            [
                NewInstance(
                    instance_id=self.instance_id,
                    run_id=RunId(f"run-{self.runs}-of-{self.instance_id}"),
                    identity=definition.identity,
                    policy_fingerprint=definition.policy_fingerprint,
                    input=program.encode_input(self.value),
                    node=first.ordinal,
                    group=first.group,
                    priority=first.priority,
                    replace=self.runs > 1,
                )
            ]
        )

    def repair(self) -> None:
        """Mend what an operator can: the body that kills, and the output that is refused."""
        self.killer = self.refused = None

    def kills(self, node: int) -> bool:
        """Tell whether the body of a node kills its process now."""
        if self.killer != node or self.kills_left == 0:
            return False
        self.kills_left -= self.kills_left < 99
        return True

    def fault(self, backend: Backend, head: Head, watch: Watch) -> str | None:
        """Return what is wrong with the end of it, None if it ended right."""
        header = head.header
        self.end = header.state.value
        if header.state is InstanceState.CANCELLED:
            return None if self.is_cancelled else "was cancelled by nobody"
        if header.state is InstanceState.FAILED:
            assert header.error is not None
            return self._fault_of_failure(header.run_id, header.error, watch)
        if header.output is None:
            return "completed without output"
        reader = InputReader(
            backend.results,
            default_codec(),
            self.workflow.definition,
            header.instance_id,
            header.run_id,
        )
        output = reader.value(header.output)
        if self.expected.status != "completed" or output != self.expected.output:
            return f"gave {output!r}, expected {self.expected}"
        return None

    def _fault_of_failure(self, run_id: RunId, error: ErrorRecord, watch: Watch) -> str | None:
        if error.type == "WorkerDiedError":
            self.end = "worker died"
            named = error.message.count(",") + 1
            return None if named >= 5 else f"gave up after too few deaths: {error.message}"
        if self.expected.status == "failed" and self.expected.explains(error.text):
            return None
        (node,) = (n for n in self.workflow.definition.nodes if n.path == error.path)
        retry = node.policy.retry if isinstance(node, TaskNode) else None
        if error.type == "RefusedRowError" and watch.limits.refused[run_id, node.ordinal]:
            self.end = "refused"
            return None
        needed = 1 + (0 if retry is None else retry.max_retries)
        # A worker that stands still may let a timeout pass that its body would have kept.
        if error.type == "TaskTimeoutError" and watch.limits.late[run_id, error.path] >= needed:
            self.end = "timed out"
            return None
        return f"failed with {error.text!r}, expected {self.expected}"
