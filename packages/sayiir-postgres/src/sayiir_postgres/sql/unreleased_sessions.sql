SELECT session_id, state
FROM {schema}.sessions
WHERE state <> 'live' AND released_at IS NULL
ORDER BY session_id
