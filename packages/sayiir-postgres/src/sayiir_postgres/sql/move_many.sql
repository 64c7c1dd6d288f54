WITH batch AS (
    SELECT *
    FROM unnest(
        %(run)b::uuid[], %(scope)b::int[], %(idx)b::bytea[], %(session)b::text[],
        %(fence)b::bigint[], %(seq)b::bigint[], %(keep)b::bool[], %(node)b::int[],
        %(turns)b::bytea[], %(input)b::text[], %(tags)b::text[], %(priority)b::int[],
        %(step_node)b::int[], %(step_turns)b::bytea[], %(attempt)b::int[], %(verdict)b::text[],
        %(started_at)b::timestamptz[], %(finished_at)b::timestamptz[], %(source)b::text[],
        %(output)b::bytea[]
    ) WITH ORDINALITY AS b (
        run, scope, idx, session, fence, seq, keep, node, turns, input, tags, priority,
        step_node, step_turns, attempt, verdict, started_at, finished_at, source, output, position
    )
), alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = ANY(%(sessions)b::text[]) AND state = 'live'
    ORDER BY session_id
    FOR KEY SHARE
), locked AS (
    SELECT b.position, c.run, c.scope, c.idx, c.owner, l.lane
    FROM batch AS b
    JOIN alive AS a ON a.session_id = b.session
    JOIN {schema}.cursors AS c ON c.run = b.run AND c.scope = b.scope AND c.idx = b.idx
    LEFT JOIN {schema}.lanes AS l
        ON NOT b.keep AND l.definition = c.definition AND l.tags = b.tags
    WHERE c.fence = b.fence AND c.seq = b.seq
        AND c.session IS NOT DISTINCT FROM b.session AND NOT c.held
    ORDER BY c.run, c.scope, c.idx
    FOR NO KEY UPDATE OF c
), moment AS MATERIALIZED (
    SELECT {now} AS now
), moved AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, node = b.node, turns = b.turns, input = b.input, tags = b.tags,
        priority = b.priority, state = 'ready', available_at = m.now, attempt = 0,
        fresh_from = 0, deaths = NULL, signal = NULL, delivered = NULL, started_at = NULL,
        session = CASE WHEN b.keep THEN c.session END,
        queue_lane = CASE WHEN NOT b.keep AND c.owner IS NULL THEN k.lane END,
        queue_priority = CASE WHEN NOT b.keep AND c.owner IS NULL THEN b.priority END,
        queued_at = CASE WHEN NOT b.keep AND c.owner IS NULL THEN m.now END
    FROM locked AS k
    JOIN batch AS b ON b.position = k.position
    CROSS JOIN moment AS m
    WHERE c.run = k.run AND c.scope = k.scope AND c.idx = k.idx
        AND c.fence = b.fence AND c.seq = b.seq
        AND c.session IS NOT DISTINCT FROM b.session AND NOT c.held
        AND (b.keep OR c.owner IS NOT NULL OR k.lane IS NOT NULL)
    RETURNING b.position
), recorded AS (
    INSERT INTO {schema}.steps (
        run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
        source, output
    )
    SELECT
        b.run, b.step_node, b.step_turns, b.attempt, b.fence, b.seq, b.session, 'succeeded',
        b.verdict, b.started_at, b.finished_at, b.source, b.output
    FROM moved JOIN batch AS b ON b.position = moved.position
    ORDER BY b.position
)
SELECT position FROM moved
