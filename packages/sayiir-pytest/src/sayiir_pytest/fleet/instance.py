"""One submitted instance of a simulation, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sayiir_core.authoring import Workflow
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import NewInstance
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_pytest.strategies.expect import Expected
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.input import InputReader
from sayiir_runtime.runner.program import program_of

ENDS = frozenset({InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED})


@dataclass(slots=True, kw_only=True)
class Submitted:
    """An instance. ``kills_left`` is how many processes the body at ``killer`` kills."""

    instance_id: InstanceId
    workflow: Workflow[Any, Any]
    value: int
    expected: Expected
    killer: int | None = None
    kills_left: int = 0
    is_cancelled: bool = False
    is_paused: bool = False
    end: str = field(default="")

    def submit(self, backend: Backend) -> None:
        """Store it, as a client does."""
        program = program_of(self.workflow, default_codec())
        definition = program.definition
        backend.definitions.save(definition)
        first = definition.nodes[definition.scopes[0].first]
        backend.instances.create(
            [
                NewInstance(
                    instance_id=self.instance_id,
                    run_id=RunId(f"run-of-{self.instance_id}"),
                    identity=definition.identity,
                    policy_fingerprint=definition.policy_fingerprint,
                    input=program.encode_input(self.value),
                    node=first.ordinal,
                    group=first.group,
                    priority=first.priority,
                )
            ]
        )

    def fault(self, backend: Backend, head: Head) -> str | None:
        """Return what is wrong with the end of it, None if it ended right."""
        header = head.header
        self.end = header.state.value
        if header.state is InstanceState.CANCELLED:
            return None if self.is_cancelled else "was cancelled by nobody"
        if header.state is InstanceState.FAILED:
            return self._fault_of_failure(head)
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

    def _fault_of_failure(self, head: Head) -> str | None:
        error = head.header.error
        assert error is not None
        if error.type == "WorkerDiedError":
            self.end = "worker died"
            named = error.message.count(",") + 1
            return None if named >= 5 else f"gave up after too few deaths: {error.message}"
        if self.expected.status == "failed" and self.expected.explains(error.text):
            return None
        return f"failed with {error.text!r}, expected {self.expected}"
