SELECT * FROM header_rows WHERE run = ?
