"""Where payloads of a run belong."""

from __future__ import annotations

from typing import Protocol

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import Leaf


class RunIdentity(Protocol):
    """Whose run it is; a lease, a ``RunKey`` and a new instance tell."""

    @property
    def instance_id(self) -> InstanceId:
        """Return the id of the instance."""
        ...

    @property
    def run_id(self) -> RunId:
        """Return the id of the run."""
        ...


def place_of(run: RunIdentity, leaf: Leaf) -> Place:
    """Return where the payload of a leaf is stored."""
    return Place(run.instance_id, run.run_id, leaf)
