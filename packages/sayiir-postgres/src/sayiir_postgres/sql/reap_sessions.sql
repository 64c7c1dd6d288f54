WITH reaper AS (
    SELECT {now} - s.steady_since >= s.ttl AND {now} - s.renewed_at <= s.ttl AS steady
    FROM {schema}.sessions AS s
    WHERE s.session_id = %(session)s AND s.state = 'live'
), dead AS (
    SELECT s.session_id
    FROM {schema}.sessions AS s
    WHERE s.state = 'live' AND s.session_id <> %(session)s AND (
        s.session_id = ANY(%(proved)b::text[])
        OR ({now} - s.renewed_at > s.ttl AND (SELECT steady FROM reaper))
    ) AND EXISTS (SELECT 1 FROM reaper)
    ORDER BY s.session_id
    FOR UPDATE
)
UPDATE {schema}.sessions AS s
SET state = 'dead', ended_at = {now}
FROM dead
WHERE s.session_id = dead.session_id
RETURNING s.session_id
