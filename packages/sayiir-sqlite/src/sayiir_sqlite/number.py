"""Numbers for texts: what a process has learnt about rows that never change their number."""

from __future__ import annotations

from typing import Final, TypeVar

from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.statement import statement

_RUN: Final = statement("number_of_run")
_SESSION: Final = statement("number_of_session")
_DEFINITION: Final = statement("number_of_definition")
_KEPT: Final = 20_000

K = TypeVar("K")


class Numbers:
    """Remember the numbers of runs, live sessions and definitions.

    A number is never given to another row, so one that is remembered after its row is gone finds
    nothing. Only numbers that were read are remembered: what a transaction wrote may be undone.
    """

    __slots__ = ("_definitions", "_runs", "_sessions")

    def __init__(self) -> None:
        self._runs: dict[RunId, int] = {}
        self._sessions: dict[SessionId, int] = {}
        self._definitions: dict[DefinitionIdentity, int] = {}

    def run(self, handle: Handle, run_id: RunId, instance_id: InstanceId) -> int | None:
        """Return the number of a run of an instance, None if there is none (any more)."""
        number = self._runs.get(run_id)
        if number is None:
            row = handle.one(_RUN, (run_id, instance_id))
            if row is None:
                return None
            number = _remember(self._runs, run_id, row[0])
        return number

    def note_run(self, run_id: RunId, number: int) -> None:
        """Remember the number of a run that was read."""
        if run_id not in self._runs:
            _remember(self._runs, run_id, number)

    def session(self, handle: Handle, session_id: SessionId) -> int | None:
        """Return the number of a session, None if it is unknown."""
        number = self._sessions.get(session_id)
        if number is None:
            row = handle.one(_SESSION, (session_id,))
            if row is None:
                return None
            number = _remember(self._sessions, session_id, row[0])
        return number

    def definition(self, handle: Handle, identity: DefinitionIdentity) -> int | None:
        """Return the number of a definition, None if it was never saved."""
        number = self._definitions.get(identity)
        if number is None:
            row = handle.one(_DEFINITION, (identity.workflow_id, identity.structure_hash))
            if row is None:
                return None
            number = _remember(self._definitions, identity, row[0])
        return number

    def forget(self) -> None:
        """Forget everything, because another file may come under the same path."""
        for numbers in (self._runs, self._sessions, self._definitions):
            numbers.clear()


def _remember(numbers: dict[K, int], key: K, number: int) -> int:
    if len(numbers) >= _KEPT:
        numbers.clear()
    numbers[key] = number
    return number
