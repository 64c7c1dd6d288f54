-- One row per checkpoint, all of one session and on different cursors. Its kind is 1 start, 2 move
-- (or sleep, if it says until when), 3 fork, 4 retry, 5 arrive or 6 finish. Behind them stands a
-- row of kind 0 per parent at which branches arrive, so that it is locked in its turn. Children and
-- errors, which few rows have, are numbered in arrays of their own.
--
-- The cursors are locked one after the other in the order of their keys. A row lock in a lateral
-- subquery is never flattened into a join, so no plan reads more of the table than those rows.
--
-- A section in brackets is for the kinds that it names, and left out for a batch without them: to
-- set up all of it costs the server as much as ten rows.
--
-- The answer has a row per join that the writer now holds, and one without a cursor per fork of
-- which it holds branches now: those that it takes, or all of them if the run is owned.
WITH alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(session)s AND state = 'live'
    FOR KEY SHARE
--[ fork finish
), latched AS (
    SELECT i.run FROM {schema}.instances AS i
    WHERE i.instance_id = ANY(%(instance_ids)b::text[]) AND (SELECT count(*) FROM alive) > 0
    ORDER BY i.instance_id
    FOR NO KEY UPDATE
--]
), batch AS (
    SELECT *
    FROM unnest(
        %(kind)b::int[], %(run)s::uuid[], %(scope)b::int[], %(idx)b::bytea[], %(fence)b::bigint[],
        %(seq)b::bigint[], %(keep)b::bool[], %(node)b::int[], %(turns)b::bytea[],
        %(input)b::text[], %(tags)b::text[], %(priority)b::int[], %(at)b::timestamptz[],
        %(first_child)b::int[], %(last_child)b::int[], %(parent)b::int[], %(parent_scope)b::int[],
        %(parent_idx)b::bytea[], %(step_node)b::int[], %(step_turns)b::bytea[],
        %(attempt)b::int[], %(status)b::text[], %(verdict)b::text[],
        %(started_at)b::timestamptz[], %(finished_at)b::timestamptz[], %(source)b::text[],
        %(error)b::int[], %(output)b::bytea[]
    ) WITH ORDINALITY AS b (
        kind, run, scope, idx, fence, seq, keep, node, turns, input, tags, priority, at,
        first_child, last_child, parent, parent_scope, parent_idx, step_node, step_turns, attempt,
        status, verdict, started_at, finished_at, source, error, output, position
    )
    WHERE EXISTS (SELECT FROM alive)
--[ fork finish
        AND (SELECT count(*) FROM latched) >= 0
--]
    ORDER BY run, scope, idx
), locked AS (
    SELECT b.*, c.place, c.definition, c.owner
    FROM batch AS b
    CROSS JOIN LATERAL (
        SELECT c.ctid AS place, c.definition, c.owner
        FROM {schema}.cursors AS c
        WHERE c.run = b.run AND c.scope = b.scope AND c.idx = b.idx AND (
            b.kind = 0 OR (
                c.session IS NOT DISTINCT FROM %(session)s AND c.fence = b.fence
                AND c.seq = b.seq AND NOT c.held
                AND (b.kind <> 3 OR c.owner IS NULL OR c.owner = %(session)s)
            )
        )
        FOR NO KEY UPDATE
    ) AS c
), moment AS MATERIALIZED (
    SELECT {now} AS now FROM (SELECT count(*) FROM locked) AS locks
--[ start
), started AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, started_at = (SELECT now FROM moment)
    FROM locked AS k
    WHERE k.kind = 1 AND c.ctid = k.place
    RETURNING k.position
--]
--[ move
), moved AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, node = k.node, turns = k.turns, input = k.input, tags = k.tags,
        priority = k.priority, attempt = 0, fresh_from = 0, deaths = NULL, signal = NULL,
        delivered = NULL, avoid = NULL, avoid_until = NULL, started_at = NULL,
        state = CASE WHEN k.at IS NULL THEN 'ready' ELSE 'sleeping' END,
        available_at = COALESCE(k.at, (SELECT now FROM moment)),
        session = CASE WHEN k.keep THEN c.session END,
        queue_lane = CASE WHEN NOT k.keep AND c.owner IS NULL THEN (
            SELECT l.lane FROM {schema}.lanes AS l
            WHERE l.definition = c.definition AND l.tags = k.tags
        ) END,
        queue_priority = CASE WHEN NOT k.keep AND c.owner IS NULL THEN k.priority END,
        queued_at = CASE
            WHEN NOT k.keep AND c.owner IS NULL THEN COALESCE(k.at, (SELECT now FROM moment))
        END
    FROM locked AS k
    WHERE k.kind = 2 AND c.ctid = k.place
    RETURNING {record_columns}
--]
--[ fork
), forked AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, node = k.node, turns = k.turns, input = k.input, tags = k.tags,
        priority = k.priority, attempt = 0, fresh_from = 0, deaths = NULL, signal = NULL,
        delivered = NULL, avoid = NULL, avoid_until = NULL, started_at = NULL, session = NULL,
        state = 'joining', available_at = NULL, pending = k.last_child - k.first_child + 1
    FROM locked AS k
    WHERE k.kind = 3 AND c.ctid = k.place
    RETURNING k.*
), born AS (
    INSERT INTO {schema}.cursors (
        run, scope, idx, definition, owner, session, claim_no, fence, held, state, pending, tags,
        priority, queue_lane, queue_priority, queued_at, seq, node, turns, input, available_at,
        attempt, fresh_from
    )
    SELECT
        f.run, (%(child_scope)b::int[])[n.child], f.turns, f.definition, f.owner, t.taker, 0,
        CASE WHEN t.taker IS NULL THEN 0 ELSE 1 END, false, 'ready', 0,
        (%(child_tags)b::text[])[n.child], (%(child_priority)b::int[])[n.child],
        CASE WHEN t.taker IS NULL THEN (
            SELECT l.lane FROM {schema}.lanes AS l
            WHERE l.definition = f.definition AND l.tags = (%(child_tags)b::text[])[n.child]
        ) END,
        CASE WHEN t.taker IS NULL THEN (%(child_priority)b::int[])[n.child] END,
        CASE WHEN t.taker IS NULL THEN (SELECT now FROM moment) END,
        0, (%(child_node)b::int[])[n.child], (%(child_turns)b::bytea[])[n.child],
        (%(child_input)b::text[])[n.child], (SELECT now FROM moment), 0, 0
    FROM forked AS f
    CROSS JOIN LATERAL generate_series(f.first_child, f.last_child) AS n (child)
    CROSS JOIN LATERAL (
        SELECT COALESCE(
            f.owner, CASE WHEN (%(child_taken)b::bool[])[n.child] THEN %(session)s::text END
        ) AS taker
    ) AS t
--]
--[ retry
), rested AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, attempt = k.attempt, deaths = NULL, state = 'ready', available_at = k.at,
        session = NULL, started_at = NULL, avoid = c.session,
        avoid_until = k.at + LEAST(
            GREATEST(k.at - (SELECT now FROM moment), interval '0'), %(avoidance)s::interval
        ),
        queue_lane = CASE WHEN c.owner IS NULL THEN (
            SELECT l.lane FROM {schema}.lanes AS l
            WHERE l.definition = c.definition AND l.tags = c.tags
        ) END,
        queue_priority = CASE WHEN c.owner IS NULL THEN c.priority END,
        queued_at = CASE WHEN c.owner IS NULL THEN k.at END
    FROM locked AS k
    WHERE k.kind = 4 AND c.ctid = k.place
    RETURNING {record_columns}
--]
--[ arrive finish
), gone AS (
    DELETE FROM {schema}.cursors AS c
    USING locked AS k
    WHERE c.ctid = k.place AND (
        k.kind = 6
        OR k.kind = 5 AND k.parent = ANY(ARRAY(SELECT position FROM locked WHERE kind = 0))
    )
    RETURNING k.*
--]
--[ arrive
), arrived AS (
    SELECT
        run, parent_scope, parent_idx, count(*) AS number, max(position) AS last,
        (array_agg(CASE WHEN keep THEN %(session)s::text END ORDER BY position DESC))[1] AS keeper
    FROM gone
    WHERE kind = 5
    GROUP BY run, parent_scope, parent_idx
), joined AS (
    UPDATE {schema}.cursors AS c
    SET pending = c.pending - a.number,
        state = CASE WHEN c.pending = a.number THEN 'ready' ELSE c.state END,
        available_at = CASE WHEN c.pending = a.number THEN (SELECT now FROM moment) END,
        session = CASE
            WHEN c.pending = a.number AND NOT c.held THEN COALESCE(c.owner, a.keeper)
        END,
        fence = CASE
            WHEN c.pending = a.number AND NOT c.held AND COALESCE(c.owner, a.keeper) IS NOT NULL
            THEN c.fence + 1 ELSE c.fence
        END,
        claim_no = CASE
            WHEN c.pending = a.number AND NOT c.held AND COALESCE(c.owner, a.keeper) IS NOT NULL
            THEN 0 ELSE c.claim_no
        END,
        queue_lane = CASE
            WHEN c.pending = a.number AND NOT c.held AND COALESCE(c.owner, a.keeper) IS NULL
            THEN (
                SELECT l.lane FROM {schema}.lanes AS l
                WHERE l.definition = c.definition AND l.tags = c.tags
            )
        END,
        queue_priority = CASE
            WHEN c.pending = a.number AND NOT c.held AND COALESCE(c.owner, a.keeper) IS NULL
            THEN c.priority
        END,
        queued_at = CASE
            WHEN c.pending = a.number AND NOT c.held AND COALESCE(c.owner, a.keeper) IS NULL
            THEN (SELECT now FROM moment)
        END
    FROM arrived AS a
    WHERE c.run = a.run AND c.scope = a.parent_scope AND c.idx = a.parent_idx
    RETURNING c.*, a.last
), scoped AS (
    INSERT INTO {schema}.scopes (run, idx, scope, fence, seq, value)
    SELECT run, idx, scope, fence, seq, input FROM gone WHERE kind = 5
    ON CONFLICT (run, idx, scope)
    DO UPDATE SET fence = excluded.fence, seq = excluded.seq, value = excluded.value
--]
--[ finish
), ended AS (
    UPDATE {schema}.instances AS i
    SET state = 'completed', output = g.input, finished_at = (SELECT now FROM moment),
        owner = NULL, ended_fence = g.fence, ended_seq = g.seq
    FROM gone AS g
    WHERE g.kind = 6 AND i.run = g.run
--]
), written AS NOT MATERIALIZED (
    SELECT {record_columns} FROM locked AS k WHERE false
--[ move
    UNION ALL SELECT {record_columns} FROM moved AS k
--]
--[ fork
    UNION ALL SELECT {record_columns} FROM forked AS k
--]
--[ retry
    UNION ALL SELECT {record_columns} FROM rested AS k
--]
--[ arrive finish
    UNION ALL SELECT {record_columns} FROM gone AS k
--]
), recorded AS (
    INSERT INTO {schema}.steps (
        run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
        source, error_path, error_type, error_message, error_traceback, output
    )
    SELECT
        run, step_node, step_turns, attempt, fence, seq, %(session)s, status, verdict, started_at,
        finished_at, source, (%(error_path)b::text[])[error], (%(error_type)b::text[])[error],
        (%(error_message)b::text[])[error], (%(error_traceback)b::text[])[error], output
    FROM written
    WHERE attempt > 0
    ORDER BY position
--[ fork arrive
), granted AS (
    SELECT
        NULL::bigint AS position, NULL::uuid AS whose, NULL::bool AS is_owned,
        (NULL::{schema}.cursors).*, NULL::bigint AS last
    WHERE false
--]
--[ arrive
    UNION ALL
    SELECT j.last, j.run, j.owner IS NOT NULL, j.*
    FROM joined AS j
    WHERE j.session IS NOT NULL
--]
--[ fork
    UNION ALL
    SELECT f.position, f.run, f.owner IS NOT NULL, (NULL::{schema}.cursors).*, NULL
    FROM forked AS f
    WHERE f.owner IS NOT NULL
        OR true = ANY((%(child_taken)b::bool[])[f.first_child:f.last_child])
--]
)
SELECT
    w.positions, w.now
--[ fork arrive
    , c.position, c.is_owned, {run_columns}, {cursor_columns}
--]
FROM (
    SELECT
        CASE WHEN count(*) < %(count)s THEN COALESCE(array_agg(position), '{{}}') END AS positions,
        (SELECT now FROM moment) AS now
    FROM (
        SELECT position FROM written
--[ start
        UNION ALL SELECT position FROM started
--]
    ) AS p
) AS w
--[ fork arrive
LEFT JOIN granted AS c ON true
LEFT JOIN {schema}.instances AS i ON i.run = c.whose
LEFT JOIN {schema}.definitions AS d ON d.definition = i.definition
--]
