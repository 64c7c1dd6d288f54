SELECT available_at, run, scope, idx
FROM cursors
WHERE
    definition = ? AND grp = ? AND priority = ? AND available_at <= ?
    AND session IS NULL AND held = 0 AND owned = 0 AND available_at IS NOT NULL
ORDER BY available_at, run, scope, idx
LIMIT ?
