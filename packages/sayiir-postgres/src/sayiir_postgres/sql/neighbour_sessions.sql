SELECT session_id, pid, process_start
FROM {schema}.sessions
WHERE state = 'live' AND kernel = %(kernel)s AND session_id <> %(session)s
