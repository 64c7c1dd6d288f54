"""Keep definitions, by identity and by policy."""

from __future__ import annotations

from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_core.workflow.document import decode_definition, encode_definition


class KeyValueDefinitions:
    """The definition port over keys."""

    __slots__ = ("_store",)

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store

    def save(self, definition: Definition) -> None:
        """Store a definition, and its policy if that is new."""
        text = encode_definition(definition).encode()
        identity = definition.identity
        self._store.put_if(key.definition_key(identity), text, None)
        self._store.put_if(key.policy_key(identity, definition.policy_fingerprint), text, None)

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return the definition as it was first stored, None if it is unknown."""
        found = self._store.get(key.definition_key(identity))
        return None if found is None else decode_definition(found.value)
