"""W5's limit: the guarded work of a pool in plain psycopg, with nothing of an engine around it.

It does what no correct pool can leave out: every row names its run, a claim takes the best of each
lane and priority with its small input under a session that is locked live, and raises a fence; a
step updates its cursor under fence and count, in the order of the keys, and adds a record; an end
locks the instances in order before it removes the cursors. It knows no holds, no retries, no owners,
no definitions, and answers nothing exactly.
"""

from __future__ import annotations

import itertools
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from sayiir_runtime.run_id import new_run_id

_SETUP = """
CREATE TABLE session (id text PRIMARY KEY, alive boolean NOT NULL);
CREATE TABLE instance (
    id text PRIMARY KEY, run uuid NOT NULL UNIQUE, status smallint NOT NULL, input bytea NOT NULL,
    output text, finished_at timestamptz
) WITH (fillfactor = 80);
CREATE TABLE cursor (
    run uuid NOT NULL, scope int NOT NULL, session text, fence bigint NOT NULL,
    lane int, priority smallint, queued_at timestamptz,
    seq bigint NOT NULL, node int NOT NULL, input text NOT NULL, available_at timestamptz,
    PRIMARY KEY (run, scope)
) WITH (fillfactor = 60);
CREATE INDEX cursor_queue ON cursor (lane, priority, queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX cursor_session ON cursor (session) WHERE session IS NOT NULL;
CREATE TABLE step (
    run uuid NOT NULL, node int NOT NULL, attempt int NOT NULL, fence bigint NOT NULL,
    seq bigint NOT NULL, session text NOT NULL, started_at timestamptz, finished_at timestamptz,
    output bytea, PRIMARY KEY (run, node, attempt)
);
INSERT INTO session VALUES ('worker', true);
"""

_CREATE = """
WITH batch AS (SELECT * FROM unnest(%(ids)b::text[], %(runs)b::uuid[], %(inputs)b::bytea[])
    AS b (id, run, input)
), born AS (INSERT INTO instance (id, run, status, input) SELECT id, run, 0, input FROM batch)
INSERT INTO cursor (run, scope, fence, lane, priority, queued_at, seq, node, input, available_at)
SELECT run, 0, 0, 1, 3, clock_timestamp(), 0, 0, 'i', clock_timestamp() FROM batch
"""

_CLAIM = """
WITH alive AS (SELECT id FROM session WHERE id = %(session)s AND alive FOR KEY SHARE),
due AS (
    SELECT q.run, q.scope, q.rank
    FROM alive CROSS JOIN generate_series(1, 5) AS p (priority) CROSS JOIN LATERAL (
        SELECT run, scope, queued_at + priority * interval '5 min' AS rank
        FROM cursor
        WHERE lane = 1 AND priority = p.priority AND queued_at <= clock_timestamp()
        ORDER BY queued_at LIMIT %(limit)s
    ) AS q ORDER BY q.rank LIMIT %(limit)s
), taken AS (
    SELECT c.run, c.scope FROM due AS q JOIN cursor AS c ON c.run = q.run AND c.scope = q.scope
    WHERE c.queued_at IS NOT NULL ORDER BY q.rank FOR NO KEY UPDATE OF c SKIP LOCKED
), claimed AS (
    UPDATE cursor AS c
    SET session = %(session)s, fence = fence + 1, lane = NULL, priority = NULL, queued_at = NULL
    FROM taken AS t WHERE c.run = t.run AND c.scope = t.scope
    RETURNING c.run, c.fence, c.seq, c.node
)
SELECT c.run::text, c.fence, c.seq, c.node, i.id, i.input
FROM claimed AS c JOIN instance AS i ON i.run = c.run
"""

_MOVE = """
WITH alive AS (SELECT id FROM session WHERE id = %(session)s AND alive FOR KEY SHARE),
locked AS (
    SELECT b.*
    FROM alive CROSS JOIN unnest(
        %(runs)b::uuid[], %(fences)b::bigint[], %(seqs)b::bigint[], %(nodes)b::int[],
        %(inputs)b::text[], %(step_nodes)b::int[], %(attempts)b::int[],
        %(started)b::timestamptz[], %(finished)b::timestamptz[], %(outputs)b::bytea[]
    ) AS b (run, fence, seq, node, input, step_node, attempt, started_at, finished_at, output)
    JOIN cursor AS c ON c.run = b.run AND c.scope = 0 AND c.fence = b.fence AND c.seq = b.seq
    ORDER BY c.run FOR NO KEY UPDATE OF c
), moved AS (
    UPDATE cursor AS c
    SET seq = c.seq + 1, node = k.node, input = k.input, available_at = clock_timestamp()
    FROM locked AS k
    WHERE c.run = k.run AND c.scope = 0 AND c.fence = k.fence AND c.seq = k.seq
        AND c.session IS NOT DISTINCT FROM %(session)s
    RETURNING k.*
)
INSERT INTO step SELECT run, step_node, attempt, fence, seq, %(session)s, started_at, finished_at,
    output FROM moved
"""

_FINISH = """
WITH alive AS (SELECT id FROM session WHERE id = %(session)s AND alive FOR KEY SHARE),
latched AS (
    SELECT run FROM instance
    WHERE id = ANY(%(ids)b::text[]) AND (SELECT count(*) FROM alive) > 0
    ORDER BY id FOR NO KEY UPDATE
), locked AS (
    SELECT b.*
    FROM unnest(
        %(runs)b::uuid[], %(fences)b::bigint[], %(seqs)b::bigint[], %(inputs)b::text[],
        %(step_nodes)b::int[], %(attempts)b::int[], %(started)b::timestamptz[],
        %(finished)b::timestamptz[], %(outputs)b::bytea[]
    ) AS b (run, fence, seq, input, step_node, attempt, started_at, finished_at, output)
    JOIN cursor AS c ON c.run = b.run AND c.scope = 0 AND c.fence = b.fence AND c.seq = b.seq
    WHERE (SELECT count(*) FROM latched) > 0
    ORDER BY c.run FOR NO KEY UPDATE OF c
), gone AS (
    DELETE FROM cursor AS c USING locked AS k
    WHERE c.run = k.run AND c.scope = 0 AND c.fence = k.fence AND c.seq = k.seq
        AND c.session IS NOT DISTINCT FROM %(session)s
    RETURNING k.*
), ended AS (
    UPDATE instance AS i SET status = 1, output = g.input, finished_at = clock_timestamp()
    FROM gone AS g WHERE i.run = g.run
)
INSERT INTO step SELECT run, step_node, attempt, fence, seq, %(session)s, started_at, finished_at,
    output FROM gone
"""

_SETTINGS = """
SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan;
"""


_SUBMIT = """
WITH born AS (INSERT INTO instance (id, run, status, input) VALUES (%(id)s, %(run)s, 0, %(input)b))
INSERT INTO cursor (run, scope, fence, lane, priority, queued_at, seq, node, input, available_at)
VALUES (%(run)s, 0, 0, 1, 3, clock_timestamp(), 0, 0, 'i', clock_timestamp())
"""


def _run_id() -> uuid.UUID:
    """Return an id that grows with time, as ours do: its rows are appended to the indexes."""
    return uuid.UUID(new_run_id())


def submit_one(connection: psycopg.Connection[Any], instance_id: str, payload: bytes) -> None:
    """Insert one instance, in one round trip."""
    columns = {"id": instance_id, "run": _run_id(), "input": payload}
    connection.execute(_SUBMIT, columns)


def pick_up(dsn: str) -> None:
    """Claim whenever there was a notification, and tell which instances were picked up, and when."""
    listening = psycopg.connect(dsn, autocommit=True)
    claiming = psycopg.connect(dsn, autocommit=True, prepare_threshold=1)
    claiming.execute(_SETTINGS)
    listening.execute("LISTEN ready")
    for _ in listening.notifies():
        query = claiming.cursor(binary=True)
        rows = query.execute(_CLAIM, {"session": "worker", "limit": 32}).fetchall()
        for row in rows:
            sys.stdout.write(f"{row[4]} {time.monotonic_ns()}\n")
        sys.stdout.flush()


class RawPool:
    """One connection that claims, steps and ends instances in batches."""

    cursors = "cursor"

    def __init__(self, dsn: str, steps: int, payload: bytes, *, fresh: bool = True) -> None:
        """Connect; ``fresh`` makes the tables, which others of the same database then use."""
        self.connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=1)
        if fresh:
            self.connection.execute(_SETUP)
        self.connection.execute(_SETTINGS)
        self._steps = steps
        self._payload = payload
        self._numbers = itertools.count()

    def fill(self, count: int) -> None:
        """Create instances."""
        ids = [f"instance-{next(self._numbers)}" for _ in range(count)]
        runs = [_run_id() for _ in ids]
        columns = {"ids": ids, "runs": runs, "inputs": [self._payload] * count}
        self.connection.execute(_CREATE, columns)

    def drain(self, batch: int) -> int:
        """Run everything; return the number of steps."""
        done = 0
        while rows := self.claim(batch):
            for node in range(self._steps):
                self.step([(row, node) for row in rows])
            done += len(rows) * self._steps
        return done

    def claim(self, limit: int) -> list[tuple[Any, ...]]:
        """Claim the best."""
        return self._execute(_CLAIM, session="worker", limit=limit)

    def step(self, hands: Sequence[tuple[tuple[Any, ...], int]]) -> None:
        """Commit the steps of claimed rows, each at its node; the last one ends its instance."""
        for is_last in (False, True):
            of_kind = [hand for hand in hands if (hand[1] == self._steps - 1) is is_last]
            if of_kind:
                self._commit(of_kind, is_last)

    def _commit(self, hands: Sequence[tuple[tuple[Any, ...], int]], is_last: bool) -> None:
        now = datetime.now(UTC)
        count = len(hands)
        columns: dict[str, Any] = {
            "session": "worker",
            "runs": [row[0] for row, _ in hands],
            "fences": [row[1] for row, _ in hands],
            "seqs": [row[2] + node for row, node in hands],
            "inputs": [f"s{node}" for _, node in hands],
            "step_nodes": [node for _, node in hands],
            "attempts": [1] * count,
            "started": [now] * count,
            "finished": [now] * count,
            "outputs": [self._payload] * count,
        }
        columns |= (
            {"ids": [row[4] for row, _ in hands]}
            if is_last
            else {"nodes": [node + 1 for _, node in hands]}
        )
        written = self.connection.execute(_FINISH if is_last else _MOVE, columns).rowcount
        assert written == count

    def _execute(self, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.cursor(binary=True).execute(text, parameters).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
