SELECT count(*)
FROM (
    SELECT 1
    FROM cursors
    WHERE
        definition = ? AND grp = ? AND priority = ? AND available_at <= ?
        AND session IS NULL AND held = 0 AND owned = 0 AND available_at IS NOT NULL
    LIMIT ?
)
