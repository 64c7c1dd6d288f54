UPDATE {schema}.sessions
SET released_at = {now}
WHERE session_id = %(session)s AND state <> 'live' AND released_at IS NULL
