"""One checkpoint alone, where one statement knows its kind: the next step, and the end of a run.

A runner that drives one instance writes little else, and each call is a round trip that it waits
for. The statement of whole batches costs the server several times as much for a single row.
"""

from __future__ import annotations

from typing import Any

from sayiir_core.ids import pack_index
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.effect import Checkpoint, Finish, Move, Record
from sayiir_core.snapshot.reference import encode_ref
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import STUBBORN, Database
from sayiir_postgres.errors import BAD_ROWS, BAD_VALUES


def write_single(database: Database, checkpoint: Checkpoint) -> bool:
    """Write a success with the move that its writer goes on from, or with the end of the run.

    Returns False, and has written nothing, for any other checkpoint, and if the guard, a hold, the
    session or a refused row is in the way.
    """
    effects = checkpoint.effects
    if len(effects) != 2 or type(effects[0]) is not Record:
        return False
    step, last = effects[0].step, effects[1]
    if step.status is not StepStatus.SUCCEEDED or step.error is not None:
        return False
    try:
        if type(last) is Move and checkpoint.keep:
            return _write(database, "move_one", move_parameters(checkpoint, step, last))
        if type(last) is Finish:
            written = _write(database, "finish_one", finish_parameters(checkpoint, step, last))
            if written:
                database.hint({HintKind.ENDED})
            return written
    except BAD_VALUES:
        return False
    return False


def _write(database: Database, name: str, parameters: dict[str, Any]) -> bool:
    text = database.statements[name]
    parameters["now"] = database.clock.parameter()

    def work(connection: Connection) -> bool:
        try:
            return connection.execute(text, parameters).rowcount == 1
        except BAD_ROWS:
            return False

    return database.run(work, patience=STUBBORN)


def move_parameters(checkpoint: Checkpoint, step: StepRecord, move: Move) -> dict[str, Any]:
    """Return the parameters of ``move_one.sql``, the clock apart."""
    return {
        **_guarded_step(checkpoint, step),
        "node": move.node,
        "turns": pack_index(move.turns),
        "input": encode_ref(move.input),
        "tags": move.group,
        "priority": move.priority,
    }


def finish_parameters(checkpoint: Checkpoint, step: StepRecord, end: Finish) -> dict[str, Any]:
    """Return the parameters of ``finish_one.sql``, the clock apart."""
    return {
        **_guarded_step(checkpoint, step),
        "instance_id": checkpoint.lease.instance_id,
        "value": encode_ref(end.value),
    }


def _guarded_step(checkpoint: Checkpoint, step: StepRecord) -> dict[str, Any]:
    lease = checkpoint.lease
    return {
        "session": lease.session,
        "run": lease.run_id,
        "scope": lease.scope,
        "idx": pack_index(lease.index),
        "fence": lease.fence,
        "seq": checkpoint.seq,
        "step_node": step.node,
        "step_turns": pack_index(step.turns),
        "attempt": step.attempt,
        "verdict": None if step.verdict is None else step.verdict.value,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "source": None if step.source is None else encode_ref(step.source),
        "output": step.output,
    }
