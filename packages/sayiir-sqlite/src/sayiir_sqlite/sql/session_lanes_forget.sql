DELETE FROM session_lanes
WHERE session IN (
    SELECT session FROM sessions
    WHERE
        ended_at IS NOT NULL
        AND ended_at < COALESCE((SELECT created_at FROM instances ORDER BY run LIMIT 1), ?)
)
