SELECT * FROM cursor_rows
WHERE run = ? AND session IS NULL AND held = 0 AND available_at <= ?
