WITH ending AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(session)s AND state = 'live'
    FOR UPDATE
)
UPDATE {schema}.sessions AS s
SET state = 'ended', ended_at = {now}
FROM ending
WHERE s.session_id = ending.session_id
