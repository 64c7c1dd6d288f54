SELECT * FROM cursor_rows WHERE run = ? ORDER BY scope, idx
