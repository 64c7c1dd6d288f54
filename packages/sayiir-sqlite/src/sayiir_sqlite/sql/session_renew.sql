UPDATE sessions
SET
    steady_since = CASE WHEN ?1 - renewed_at > ttl THEN ?1 ELSE steady_since END,
    renewed_at = ?1
WHERE session_id = ?2 AND ended_at IS NULL
