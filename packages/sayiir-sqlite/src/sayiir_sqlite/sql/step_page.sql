SELECT * FROM step_rows
WHERE step > ? AND step >= ?2 << 28 AND step < (?2 + 1) << 28
ORDER BY step
LIMIT ?
