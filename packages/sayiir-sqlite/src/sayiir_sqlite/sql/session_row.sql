SELECT
    session, session_id, worker_id, host, boot, pid, lock_file, ttl, renewed_at, steady_since,
    ended_at
FROM sessions
WHERE session_id = ?
