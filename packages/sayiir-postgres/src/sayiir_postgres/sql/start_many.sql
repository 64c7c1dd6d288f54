WITH batch AS (
    SELECT *
    FROM unnest(
        %(run)b::uuid[], %(scope)b::int[], %(idx)b::bytea[], %(session)b::text[],
        %(fence)b::bigint[], %(seq)b::bigint[]
    ) WITH ORDINALITY AS b (run, scope, idx, session, fence, seq, position)
), alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = ANY(%(sessions)b::text[]) AND state = 'live'
    ORDER BY session_id
    FOR KEY SHARE
), locked AS (
    SELECT b.position, c.run, c.scope, c.idx
    FROM batch AS b
    JOIN alive AS a ON a.session_id = b.session
    JOIN {schema}.cursors AS c ON c.run = b.run AND c.scope = b.scope AND c.idx = b.idx
    WHERE c.fence = b.fence AND c.seq = b.seq
        AND c.session IS NOT DISTINCT FROM b.session AND NOT c.held
    ORDER BY c.run, c.scope, c.idx
    FOR NO KEY UPDATE OF c
)
UPDATE {schema}.cursors AS c
SET seq = c.seq + 1, started_at = {now}
FROM locked AS k
JOIN batch AS b ON b.position = k.position
WHERE c.run = k.run AND c.scope = k.scope AND c.idx = k.idx
    AND c.fence = b.fence AND c.seq = b.seq
    AND c.session IS NOT DISTINCT FROM b.session AND NOT c.held
RETURNING b.position
