"""What is known of the runs that pass by, so that an event can name its workflow and its path."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import Index, InstanceId, RunId, WorkflowId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.telemetry import NodePlace, RunPlace
from sayiir_core.snapshot.effect import Lease
from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_core.workflow.node import END

MOST_RUNS: Final = 20_000
_UNKNOWN: Final = DefinitionIdentity(WorkflowId(""), "")


class RunBook:
    """Definitions by identity, and the identities of the runs seen last.

    What is not known is read from the store; what cannot be read is left blank.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._definitions: dict[DefinitionIdentity, Definition] = {}
        self._runs: OrderedDict[RunId, DefinitionIdentity] = OrderedDict()
        self._last: RunPlace | None = None

    def learn(self, definition: Definition) -> None:
        """Keep a definition."""
        self._definitions[definition.identity] = definition

    def note(self, run_id: RunId, identity: DefinitionIdentity) -> None:
        """Keep what a run is of."""
        self._runs[run_id] = identity
        while len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)

    def forget(self, run_id: RunId) -> None:
        """Forget a run that has ended."""
        self._runs.pop(run_id, None)

    def place(self, instance_id: InstanceId, run_id: RunId) -> RunPlace:
        """Return where a run stands; what is asked for is mostly the same as last time."""
        last = self._last
        if last is not None and last.run_id == run_id:
            return last
        identity = self._identity(instance_id, run_id)
        place = RunPlace(identity.workflow_id, instance_id, run_id)
        if identity is not _UNKNOWN:
            self._last = place
        return place

    def node(self, lease: Lease, ordinal: int, turns: Index) -> NodePlace:
        """Return where a node of a run stands; the path is empty for the end of a run."""
        identity = self._identity(lease.instance_id, lease.run_id)
        run = self.place(lease.instance_id, lease.run_id)
        return NodePlace(run, self.path(identity, ordinal), turns)

    def path(self, identity: DefinitionIdentity, ordinal: int) -> str:
        """Return the path of a node, empty if it is not known."""
        if ordinal == END:
            return ""
        definition = self._definitions.get(identity)
        if definition is None:
            try:
                definition = self._backend.definitions.find(identity)
            except BackendError:
                return ""
            if definition is None:
                return ""
            self._definitions[identity] = definition
        nodes = definition.nodes
        return nodes[ordinal].path if ordinal < len(nodes) else ""

    def _identity(self, instance_id: InstanceId, run_id: RunId) -> DefinitionIdentity:
        identity = self._runs.get(run_id)
        if identity is not None:
            return identity
        try:
            (header,) = self._backend.instances.headers([instance_id])
        except BackendError:
            header = None
        if header is None or header.run_id != run_id:
            return _UNKNOWN
        self.note(run_id, header.identity)
        return header.identity
