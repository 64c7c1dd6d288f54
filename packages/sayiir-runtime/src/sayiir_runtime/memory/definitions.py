"""Keep definitions in memory."""

from __future__ import annotations

from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_runtime.memory.store import Store


class MemoryDefinitions:
    """The definition port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, definition: Definition) -> None:
        """Store a definition, and its policy if that is new."""
        with self._store.lock:
            policies = self._store.definitions.setdefault(definition.identity, {})
            policies.setdefault(definition.policy_fingerprint, definition)

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return the definition as it was first stored, None if it is unknown."""
        with self._store.lock:
            policies = self._store.definitions.get(identity)
            return next(iter(policies.values())) if policies else None
