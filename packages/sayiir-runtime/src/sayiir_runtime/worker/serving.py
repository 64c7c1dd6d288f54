"""What a worker serves: the workflows that it knows, and the lanes that its tags let it take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.errors import DefinitionError
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_core.workflow.group import tags_in
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.runner.program import Program, runnable_program_of

if TYPE_CHECKING:
    from sayiir_runtime.telemetry.instrument import Instrument


class Serving:
    """Programs by definition identity, and the lanes of their tasks.

    A worker with tags takes the tasks whose tags it has all of, and those without tags; a worker
    without tags takes every task (SEMANTICS 46).
    """

    def __init__(
        self,
        workflows: Iterable[Workflow[Any, Any]],
        codec: PayloadCodec,
        tags: Iterable[str] = (),
        instrument: Instrument | None = None,
    ) -> None:
        self.tags: Final = frozenset(tags)
        self.programs: Final[dict[DefinitionIdentity, Program]] = {}
        for workflow in workflows:
            self._add(workflow, runnable_program_of(workflow, codec, instrument))
        self._groups: Final = {
            identity: frozenset(
                group
                for group in ("", *(node.group for node in program.definition.nodes))
                if self._takes(group)
            )
            for identity, program in self.programs.items()
        }
        self.lanes: Final = frozenset(
            Lane(identity, group) for identity, groups in self._groups.items() for group in groups
        )

    def serves(self, identity: DefinitionIdentity, group: str) -> bool:
        """Tell whether this worker may take a task of that group."""
        return group in self._groups.get(identity, ())

    def _takes(self, group: str) -> bool:
        return not self.tags or tags_in(group) <= self.tags

    def _add(self, workflow: Workflow[Any, Any], program: Program) -> None:
        identity = workflow.definition.identity
        known = self.programs.setdefault(identity, program)
        if known is not program and not known.calls_same(program):
            raise DefinitionError(
                f"two workflows {identity.workflow_id!r} with one structure but different "
                f"functions cannot be served by one worker: nobody could tell which to call; give "
                f"one of them another name, or its tasks another version="
            )
