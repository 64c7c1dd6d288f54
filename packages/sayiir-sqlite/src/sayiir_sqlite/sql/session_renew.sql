UPDATE sessions
SET
    steady_since = CASE WHEN :now - renewed_at > ttl THEN :now ELSE steady_since END,
    renewed_at = :now
WHERE session_id = :session_id AND ended_at IS NULL
