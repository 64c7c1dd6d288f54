WITH alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(session)s AND state = 'live'
    FOR KEY SHARE
), moved AS (
    UPDATE {schema}.cursors AS c
    SET seq = c.seq + 1, node = %(node)s, turns = %(turns)b, input = %(input)s,
        tags = %(tags)s, priority = %(priority)s, state = 'ready', available_at = {now},
        attempt = 0, fresh_from = 0, deaths = NULL, signal = NULL, delivered = NULL,
        avoid = NULL, avoid_until = NULL, started_at = NULL
    FROM alive AS a
    WHERE c.run = %(run)s AND c.scope = %(scope)s AND c.idx = %(idx)b
        AND c.fence = %(fence)s AND c.seq = %(seq)s
        AND c.session IS NOT DISTINCT FROM a.session_id AND NOT c.held
    RETURNING c.run
)
INSERT INTO {schema}.steps (
    run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
    source, output
)
SELECT
    run, %(step_node)s, %(step_turns)b, %(attempt)s, %(fence)s, %(seq)s, %(session)s,
    'succeeded', %(verdict)s, %(started_at)s, %(finished_at)s, %(source)s, %(output)b
FROM moved
