SELECT priority, available_at
FROM cursors
WHERE
    definition = ? AND grp = ? AND priority > ?
    AND session IS NULL AND held = 0 AND owned = 0 AND available_at IS NOT NULL
ORDER BY priority, available_at
LIMIT 1
