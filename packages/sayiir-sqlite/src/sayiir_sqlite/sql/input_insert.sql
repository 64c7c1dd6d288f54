INSERT INTO inputs (run, payload) VALUES (?, ?)
