"""Create runs.

How this works: one statement inserts any number of runs with their first cursors, in the order of
their ids, so that two batches cannot wait for each other. What a batch has in common is sent once:
each run names its *kind*, the definition with the first node, owner and so on. A run that replaces
another takes a transaction: the row of the instance stays and takes the new run, all else of the
old run goes. A batch that names one id twice takes one round more. Sending a creation twice is
harmless: its run is recognised by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sayiir_core.errors import SessionEndedError
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Head, Lane
from sayiir_postgres.birth import birth_of, replacement_columns, run_columns, run_parameters
from sayiir_postgres.claims import granted
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, LockedRun, add_known_cursors, locked_instances
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.loading import load_heads
from sayiir_postgres.removal import remove_rows
from sayiir_postgres.transaction import Transaction
from sayiir_postgres.writes import write

Answer = Created | Exists


class Creation:
    """Create batches of runs, each of a definition that is stored."""

    def __init__(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes

    def create(self, batch: Sequence[NewInstance]) -> list[Answer]:
        """Create each run, or answer which one has its id; one answer each, in order."""
        answers: dict[int, Answer] = {}
        while len(answers) < len(batch):
            waiting = _first_of_each_id(batch, answers)
            found = self._create_distinct(list(waiting.values()))
            answers |= {
                at: found[new.instance_id]
                for at, new in waiting.items()
                if new.instance_id in found
            }
        return [answers[position] for position in range(len(batch))]

    def _create_distinct(self, batch: list[NewInstance]) -> dict[InstanceId, Answer]:
        """Create runs of different ids; one that lost a race to be replaced is not answered."""
        answers = self._replace([new for new in batch if new.replace])
        rest = [new for new in batch if new.instance_id not in answers]
        if rest:
            answers |= self._insert(rest) if len(rest) > 1 else self._insert_one(rest[0])
        taken = {new.instance_id: new for new in rest if new.instance_id not in answers}
        if taken:
            heads = self._database.run(lambda c: load_heads(self._database, c, list(taken)))
            answers |= _answers_for_taken(taken, heads)
        return answers

    def _insert_one(self, new: NewInstance) -> dict[InstanceId, Answer]:
        lanes = self._lanes.require([Lane(new.identity, new.group)])
        parameters = run_parameters(new, lanes) | {"now": self._database.clock.parameter()}
        ((now, orphan),) = self._database.call("create_run", **parameters)
        if orphan and new.owner is not None:
            raise SessionEndedError(new.owner)
        return {} if now is None else {new.instance_id: Created(*birth_of(new, now))}

    def _insert(self, batch: list[NewInstance]) -> dict[InstanceId, Answer]:
        lanes = self._lanes.require({Lane(new.identity, new.group) for new in batch})
        columns = run_columns(batch, lanes) | {"now": self._database.clock.parameter()}
        ((now, orphan, taken),) = self._database.call("create_runs", **columns)
        if orphan is not None:
            raise SessionEndedError(SessionId(orphan))
        there = set(taken)
        return {
            new.instance_id: Created(*birth_of(new, now))
            for position, new in enumerate(batch, 1)
            if position not in there
        }

    def _replace(self, batch: list[NewInstance]) -> dict[InstanceId, Answer]:
        """Replace those runs that exist."""
        if not batch:
            return {}
        lanes = self._lanes.require({Lane(new.identity, new.group) for new in batch})

        def work(connection: Connection) -> dict[InstanceId, Answer]:
            with self._database.transaction(connection) as tx:
                return self._replace_in(tx, batch, lanes)

        return self._database.run(work)

    def _replace_in(
        self, tx: Transaction, batch: list[NewInstance], lanes: dict[Lane, tuple[int, int]]
    ) -> dict[InstanceId, Answer]:
        parameters = {"instance_ids": sorted(new.instance_id for new in batch)}
        owners = {new.owner for new in batch if new.owner is not None}
        alive = tx.send("lock_sessions", {"sessions": sorted(owners)})
        tx.send("lock_inboxes", parameters)
        instances = tx.send("lock_instances", parameters)
        cursors = tx.send("lock_whole", parameters)
        moment = self._database.moment(tx)
        runs = locked_instances(instances.rows())
        add_known_cursors(runs, cursors.rows())
        for owner in sorted(owners - {row[0] for row in alive.rows()}):
            raise SessionEndedError(owner)
        old = {run.instance_id: run for run in runs.values()}
        fresh = [
            new
            for new in batch
            if new.instance_id in old and old[new.instance_id].run_id != new.run_id
        ]
        return self._swap(tx, fresh, old, lanes, moment()) if fresh else {}

    def _swap(
        self,
        tx: Transaction,
        batch: list[NewInstance],
        old: dict[InstanceId, LockedRun],
        lanes: dict[Lane, tuple[int, int]],
        now: datetime,
    ) -> dict[InstanceId, Answer]:
        ids = [new.instance_id for new in batch]
        remove_rows(tx, [old[instance_id].run_id for instance_id in ids], ids)
        answers: dict[InstanceId, Answer] = {}
        changes = Changes()
        definitions = [lanes[Lane(new.identity, new.group)][0] for new in batch]
        tx.send("replace_instances", replacement_columns(batch, definitions, now))
        for new, definition in zip(batch, definitions, strict=True):
            head, claim = birth_of(new, now)
            run = LockedRun(head, definition)
            run.touch(head.cursors.values())
            changes.runs.append(run)
            answers[new.instance_id] = Created(head, claim)
        write(tx, changes, self._lanes)
        return answers


def _first_of_each_id(
    batch: Sequence[NewInstance], answered: dict[int, Answer]
) -> dict[int, NewInstance]:
    seen: set[InstanceId] = set()
    first: dict[int, NewInstance] = {}
    for position, new in enumerate(batch):
        if position not in answered and new.instance_id not in seen:
            seen.add(new.instance_id)
            first[position] = new
    return first


def _answers_for_taken(
    taken: dict[InstanceId, NewInstance], heads: Iterable[Head]
) -> dict[InstanceId, Answer]:
    answers: dict[InstanceId, Answer] = {}
    for head in heads:
        instance_id = head.header.instance_id
        new = taken[instance_id]
        if head.header.run_id == new.run_id:
            answers[instance_id] = Created(head, _claim_in(head, new))
        elif not new.replace:
            answers[instance_id] = Exists(head)
    return answers


def _claim_in(head: Head, new: NewInstance) -> Claim | None:
    held = [cursor for cursor in head.cursors.values() if cursor.session is not None]
    return granted(head.header, held[0].copy()) if new.owner is not None and held else None
