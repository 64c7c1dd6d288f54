SELECT c.*, i.instance_id, i.run_id, i.policy_fingerprint, i.trace_parent, i.created_at
FROM cursor_rows AS c
CROSS JOIN instances AS i ON i.run = c.run
WHERE c.run = ? AND c.scope = ? AND c.idx = ?
