WITH alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(session)s AND state = 'live'
    FOR KEY SHARE
), latched AS (
    SELECT i.run FROM {schema}.instances AS i
    WHERE i.instance_id = %(instance_id)s AND EXISTS (SELECT FROM alive)
    FOR NO KEY UPDATE
), gone AS (
    DELETE FROM {schema}.cursors AS c
    USING latched AS l
    WHERE c.run = l.run AND c.run = %(run)s AND c.scope = %(scope)s AND c.idx = %(idx)b
        AND c.fence = %(fence)s AND c.seq = %(seq)s
        AND c.session IS NOT DISTINCT FROM %(session)s AND NOT c.held
    RETURNING c.run
), ended AS (
    UPDATE {schema}.instances AS i
    SET state = 'completed', output = %(value)s, finished_at = {now}, owner = NULL,
        ended_fence = %(fence)s, ended_seq = %(seq)s
    FROM gone AS g
    WHERE i.run = g.run
)
INSERT INTO {schema}.steps (
    run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
    source, output
)
SELECT
    run, %(step_node)s, %(step_turns)b, %(attempt)s, %(fence)s, %(seq)s, %(session)s,
    'succeeded', %(verdict)s, %(started_at)s, %(finished_at)s, %(source)s, %(output)b
FROM gone
