"""The port that keeps definitions, so that any tool can draw any instance without its code."""

from __future__ import annotations

from typing import Protocol

from sayiir_core.workflow.definition import Definition, DefinitionIdentity


class DefinitionStore(Protocol):
    """Keep workflows as data, by identity, with every policy that ran under it."""

    def save(self, definition: Definition) -> None:
        """Store a definition; storing an identity or a policy fingerprint twice changes nothing."""
        ...

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return the definition as it was first stored, None if it is unknown."""
        ...
