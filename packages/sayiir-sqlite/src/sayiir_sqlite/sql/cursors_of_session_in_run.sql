SELECT * FROM cursor_rows WHERE run = ? AND +session = ?
