INSERT INTO signals (inbox, seq, name, received_at, consumed_by, payload)
VALUES (?, ?, ?, ?, ?, ?)
