UPDATE sessions SET ended_at = ? WHERE session = ? AND ended_at IS NULL
