"""The fast path of a commit: one statement, one round trip, for a batch of plain checkpoints.

How this works: the columns of the batch become a table in the server. The statement locks whatever
the batch decides on in the order of the locking rule; a row whose guard does not hold, that is
held, or whose session has ended is not locked, and thus left alone. What follows changes exactly
the versions that were locked, and each record, scope and end derives from such a change. What the
statement did not write takes the slow path, which answers exactly.

What it writes equals ``sayiir_core.snapshot.apply``, and is tested to. A lane that does not exist
yet violates a check of the table: then nothing is written here, and the slow path makes the lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from psycopg.errors import CheckViolation

from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.answer import COMMITTED, Answer, Committed
from sayiir_core.snapshot.apply import apply
from sayiir_core.snapshot.effect import Checkpoint, Spawn
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_core.snapshot.reference import INPUT
from sayiir_postgres.claims import granted
from sayiir_postgres.columns import columns
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import NEARLY_NOW, STUBBORN, Database
from sayiir_postgres.errors import BAD_ROWS, BAD_VALUES
from sayiir_postgres.kind import Kind, Plain
from sayiir_postgres.numbered import execute_numbered
from sayiir_postgres.rows import RUN_WIDTH, Row, bare_header, cursor_of

_FORMS: Final = tuple(
    (frozenset(form), frozenset(kind.name.lower() for kind in form))
    for form in (
        (Kind.MOVE,),
        (Kind.FORK,),
        (Kind.PARENT, Kind.ARRIVE),
        (Kind.MOVE, Kind.RETRY, Kind.FINISH),
        tuple(Kind),
    )
)
"""The forms of the statement, the shortest first: the kinds that it knows, and their names."""


def write_plain(database: Database, batch: Sequence[Plain]) -> dict[int, Answer] | None:
    """Write plain checkpoints on different cursors; answer, by position, those that were.

    Returns None if one of them is refused, and then nothing was written.
    """
    try:
        parameters = columns(batch) | {"now": database.clock.parameter()}
    except BAD_VALUES:
        return None

    uses = _uses(batch)

    def work(connection: Connection) -> Sequence[Row] | None:
        try:
            return execute_numbered(connection, database.statements["commit"], parameters, uses)
        except CheckViolation:
            return []
        except BAD_ROWS:
            return None

    rows = database.run(work, patience=STUBBORN)
    if rows is None:
        return None
    answers = _answers(batch, rows)
    kinds = _hints(batch, database.clock.now() + NEARLY_NOW) if answers else None
    if kinds:
        database.hint(kinds)
    return answers


def _uses(batch: Sequence[Plain]) -> frozenset[str]:
    """Return what the statement must know; a few forms serve all, since each is prepared once."""
    kinds = {it.kind for it in batch}
    return next(names for form, names in _FORMS if kinds <= form)


def _answers(batch: Sequence[Plain], rows: Sequence[Row]) -> dict[int, Answer]:
    """Read which rows were written, None for all, and behind which of them something is granted."""
    if not rows:
        return {}
    written = rows[0][0]
    positions = range(1, len(batch) + 1) if written is None else cast("list[int]", written)
    answers: dict[int, Answer] = {batch[it - 1].numbered[0]: COMMITTED for it in positions}
    for _, now, *grant in rows:
        # The short forms of the statement grant nothing and have no columns for it.
        if grant and grant[0] is not None:
            position, checkpoint = batch[int(grant[0]) - 1].numbered
            answers[position] = _granting(checkpoint, now, grant[1:])
    return answers


def _granting(checkpoint: Checkpoint, now: datetime, row: Row) -> Answer:
    """Return the answer with the join that the writer now holds, or with its branches.

    What was written of a fork is what the core makes of it once more.
    """
    is_owned, header, cursor = row[0], bare_header(row[1:]), row[1 + RUN_WIDTH :]
    if cursor[0] is not None:
        return Committed(claims=(granted(header, cursor_of(cursor)),))
    lease = checkpoint.lease
    header.owner = lease.session if is_owned else None
    parent = Cursor(lease.scope, lease.index, 0, (), INPUT)
    parent.session, parent.fence, parent.seq = lease.session, lease.fence, checkpoint.seq
    return apply(Head(header, {parent.key: parent}), checkpoint, now).answer


def _hints(batch: Sequence[Plain], soon: datetime) -> set[HintKind]:
    """Return whether a pool may find something now, and whether a run has ended."""
    kinds: set[HintKind] = set()
    if any(part.kind is Kind.FINISH for part in batch):
        kinds.add(HintKind.ENDED)
    if any(_frees(part, soon) for part in batch):
        kinds.add(HintKind.CLAIMABLE)
    return kinds


def _frees(part: Plain, soon: datetime) -> bool:
    """Tell whether a pool may find a cursor now that the writer does not go on with."""
    if part.at is not None:
        return part.at <= soon
    checkpoint, last = part.numbered[1], part.last
    if type(last) is Spawn:
        return any(child.scope not in checkpoint.take for child in last.children)
    return part.kind is not Kind.FINISH and not checkpoint.keep
