SELECT available_at, run, scope, idx
FROM cursors
WHERE
    definition = :definition AND grp = :grp AND priority = :priority AND available_at <= :until
    AND session IS NULL AND held = 0 AND owned = 0 AND available_at IS NOT NULL
    AND NOT (
        avoid IS :session AND avoid_until > :now
        AND EXISTS (
            SELECT 1
            FROM sessions AS s
            CROSS JOIN session_lanes AS l ON l.session = s.session
            WHERE
                s.ended_at IS NULL AND s.session <> :session
                AND l.workflow_id = :workflow_id AND l.structure_hash = :structure_hash
                AND l.grp = :grp
        )
    )
ORDER BY available_at, run, scope, idx
LIMIT :limit
