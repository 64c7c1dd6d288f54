SELECT * FROM cursor_rows WHERE session = ? ORDER BY run
