SELECT * FROM header_rows WHERE instance_id = ?
