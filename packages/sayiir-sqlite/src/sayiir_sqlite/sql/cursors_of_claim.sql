SELECT * FROM cursor_rows WHERE session = ? AND claim_no = ? ORDER BY run
