SELECT session FROM sessions WHERE session_id = ? AND ended_at IS NULL
