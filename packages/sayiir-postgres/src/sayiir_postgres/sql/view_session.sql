SELECT session_id, worker_id, host, kernel, pid, process_start, ttl, renewed_at, state
FROM {schema}.sessions
WHERE session_id = %(session)s
