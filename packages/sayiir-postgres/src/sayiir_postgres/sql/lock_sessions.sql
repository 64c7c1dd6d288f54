SELECT session_id
FROM {schema}.sessions
WHERE session_id = ANY(%(sessions)b::text[]) AND state = 'live'
ORDER BY session_id
FOR KEY SHARE
