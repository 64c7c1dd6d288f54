SELECT g.seq, g.name, g.received_at
FROM inboxes AS b
CROSS JOIN signals AS g ON g.inbox = b.inbox AND g.consumed_by IS NULL
WHERE b.instance_id = ?
ORDER BY g.seq
