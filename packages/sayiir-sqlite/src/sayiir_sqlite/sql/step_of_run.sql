SELECT * FROM step_rows
WHERE run = ? AND node = ? AND turns = ?
ORDER BY status = 'succeeded' DESC, attempt DESC
LIMIT 1
