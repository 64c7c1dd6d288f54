SELECT session_id
FROM {schema}.sessions
WHERE session_id = %(session)s AND state = 'live'
FOR UPDATE
