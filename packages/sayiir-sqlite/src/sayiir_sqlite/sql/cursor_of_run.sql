SELECT * FROM cursor_rows WHERE run = ? AND scope = ? AND idx = ?
