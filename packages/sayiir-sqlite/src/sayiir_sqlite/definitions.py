"""Definitions: workflows as data, with every policy that ran under them."""

from __future__ import annotations

from typing import Final

from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_core.workflow.document import decode_definition, encode_definition
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.database import Database
from sayiir_sqlite.statement import statement

_INSERT: Final = statement("definition_insert")
_NUMBER: Final = statement("number_of_definition")
_POLICY_KNOWN: Final = statement("policy_known")
_POLICY_INSERT: Final = statement("policy_insert")
_DOCUMENT: Final = statement("definition_document")


class SQLiteDefinitions:
    """Keep definitions by identity."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, definition: Definition) -> None:
        """Store a definition unless it is known with this policy."""
        if self._is_known(definition):
            return
        document = encode_definition(definition)
        identity = definition.identity
        with self._database.writing() as handle:
            handle.execute(_INSERT, (identity.workflow_id, identity.structure_hash))
            number = self._read_number(handle, identity)
            handle.execute(_POLICY_INSERT, (number, definition.policy_fingerprint, document))

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return the definition as it was first stored, None if it is unknown."""
        with self._database.reading() as handle:
            number = self._database.numbers.definition(handle, identity)
            row = None if number is None else handle.one(_DOCUMENT, (number,))
        return None if row is None else decode_definition(row[0])

    def _is_known(self, definition: Definition) -> bool:
        with self._database.reading() as handle:
            number = self._database.numbers.definition(handle, definition.identity)
            policy = (number, definition.policy_fingerprint)
            return number is not None and handle.one(_POLICY_KNOWN, policy) is not None

    def _read_number(self, handle: Handle, identity: DefinitionIdentity) -> int:
        row = handle.one(_NUMBER, (identity.workflow_id, identity.structure_hash))
        assert row is not None
        return int(row[0])
