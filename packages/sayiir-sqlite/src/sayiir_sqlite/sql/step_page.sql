SELECT * FROM step_rows
WHERE step > ? AND step < ?
ORDER BY step
LIMIT ?
