WITH alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(session)s AND state = 'live'
    FOR KEY SHARE
), moment AS MATERIALIZED (
    SELECT {now} AS now
), due AS (
    SELECT q.run, q.scope, q.idx, q.queue_lane, q.rank
    FROM alive
    CROSS JOIN unnest(%(lanes)b::int[]) AS l (lane)
    CROSS JOIN generate_series(1, 5) AS p (priority)
    CROSS JOIN LATERAL (
        SELECT
            c.run, c.scope, c.idx, c.queue_lane,
            c.queued_at + c.queue_priority * %(aging_interval)s::interval AS rank
        FROM {schema}.cursors AS c
        WHERE c.queue_lane = l.lane AND c.queue_priority = p.priority
            AND c.queued_at <= (SELECT now FROM moment)
        ORDER BY c.queued_at
        LIMIT %(reach)s
    ) AS q
    ORDER BY q.rank, q.run, q.scope, q.idx
    LIMIT %(reach)s
), taken AS (
    SELECT c.run, c.scope, c.idx, q.rank
    FROM due AS q
    JOIN {schema}.cursors AS c ON c.run = q.run AND c.scope = q.scope AND c.idx = q.idx
    WHERE c.queue_lane IS NOT DISTINCT FROM q.queue_lane
        AND c.queued_at <= (SELECT now FROM moment)
    ORDER BY q.rank, q.run, q.scope, q.idx
    LIMIT %(limit)s
    FOR NO KEY UPDATE OF c SKIP LOCKED
), claimed AS (
    UPDATE {schema}.cursors AS c
    SET session = %(session)s, claim_no = %(claim_no)s, fence = c.fence + 1,
        queue_lane = NULL, queue_priority = NULL, queued_at = NULL
    FROM taken AS t
    WHERE c.run = t.run AND c.scope = t.scope AND c.idx = t.idx
    RETURNING c.*, t.rank
)
SELECT {cursor_columns}, {run_columns}
FROM alive
LEFT JOIN claimed AS c ON true
LEFT JOIN {schema}.instances AS i ON i.run = c.run
LEFT JOIN {schema}.definitions AS d ON d.definition = i.definition
ORDER BY c.rank, c.run, c.scope, c.idx
