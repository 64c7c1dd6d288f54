"""Definitions: workflows as data, with every policy that ran under them."""

from __future__ import annotations

from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_core.workflow.document import decode_definition, encode_definition
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database


class PostgresDefinitions:
    """The definition port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._saved: set[tuple[DefinitionIdentity, str]] = set()

    def save(self, definition: Definition) -> None:
        """Store a definition and its policy; what is known already changes nothing."""
        known = (definition.identity, definition.policy_fingerprint)
        if known in self._saved:
            return
        parameters = {
            "workflow_id": definition.workflow_id,
            "structure_hash": definition.structure_hash,
            "policy_fingerprint": definition.policy_fingerprint,
            "document": encode_definition(definition),
            "tags": sorted({node.group for node in definition.nodes} | {""}),
            "now": self._database.clock.parameter(),
        }

        def work(connection: Connection) -> None:
            with self._database.transaction(connection) as tx:
                tx.send("save_definition", parameters)
                tx.send("save_policy", parameters)
                tx.send("save_lanes", parameters)

        self._database.run(work)
        self._saved.add(known)

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return the definition as it was first stored, None if it is unknown."""
        rows = self._database.call(
            "find_definition",
            workflow_id=identity.workflow_id,
            structure_hash=identity.structure_hash,
        )
        return decode_definition(rows[0][0]) if rows else None
