WITH batch AS (
    SELECT *
    FROM unnest(
        %(run)b::uuid[], %(scope)b::int[], %(idx)b::bytea[], %(session)b::text[],
        %(fence)b::bigint[], %(seq)b::bigint[], %(at)b::timestamptz[], %(step_node)b::int[],
        %(step_turns)b::bytea[], %(attempt)b::int[], %(status)b::text[], %(verdict)b::text[],
        %(started_at)b::timestamptz[], %(finished_at)b::timestamptz[], %(source)b::text[],
        %(error_path)b::text[], %(error_type)b::text[], %(error_message)b::text[],
        %(error_traceback)b::text[], %(output)b::bytea[]
    ) WITH ORDINALITY AS b (
        run, scope, idx, session, fence, seq, at, step_node, step_turns, attempt, status, verdict,
        started_at, finished_at, source, error_path, error_type, error_message, error_traceback,
        output, position
    )
), alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = ANY(%(sessions)b::text[]) AND state = 'live'
    ORDER BY session_id
    FOR KEY SHARE
), locked AS (
    SELECT b.position, c.run, c.scope, c.idx, l.lane
    FROM batch AS b
    JOIN alive AS a ON a.session_id = b.session
    JOIN {schema}.cursors AS c ON c.run = b.run AND c.scope = b.scope AND c.idx = b.idx
    LEFT JOIN {schema}.lanes AS l ON l.definition = c.definition AND l.tags = c.tags
    WHERE c.fence = b.fence AND c.seq = b.seq
        AND c.session IS NOT DISTINCT FROM b.session AND NOT c.held
    ORDER BY c.run, c.scope, c.idx
    FOR NO KEY UPDATE OF c
), rested AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, attempt = b.attempt, deaths = NULL, state = 'ready',
        available_at = b.at, session = NULL, started_at = NULL,
        queue_lane = CASE WHEN c.owner IS NULL THEN k.lane END,
        queue_priority = CASE WHEN c.owner IS NULL THEN c.priority END,
        queued_at = CASE WHEN c.owner IS NULL THEN b.at END
    FROM locked AS k
    JOIN batch AS b ON b.position = k.position
    WHERE c.run = k.run AND c.scope = k.scope AND c.idx = k.idx
        AND c.fence = b.fence AND c.seq = b.seq
        AND c.session IS NOT DISTINCT FROM b.session AND NOT c.held
        AND (c.owner IS NOT NULL OR k.lane IS NOT NULL)
    RETURNING b.position
), recorded AS (
    INSERT INTO {schema}.steps (
        run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
        source, error_path, error_type, error_message, error_traceback, output
    )
    SELECT
        b.run, b.step_node, b.step_turns, b.attempt, b.fence, b.seq, b.session, b.status,
        b.verdict, b.started_at, b.finished_at, b.source, b.error_path, b.error_type,
        b.error_message, b.error_traceback, b.output
    FROM rested JOIN batch AS b ON b.position = rested.position
    ORDER BY b.position
)
SELECT position FROM rested
