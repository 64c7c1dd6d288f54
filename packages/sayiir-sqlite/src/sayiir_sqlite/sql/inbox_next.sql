INSERT INTO inboxes (instance_id, last_seq) VALUES (?, 1)
ON CONFLICT (instance_id) DO UPDATE SET last_seq = last_seq + 1
