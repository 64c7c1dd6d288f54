SELECT g.payload
FROM inboxes AS b
CROSS JOIN signals AS g ON g.inbox = b.inbox
WHERE b.instance_id = ? AND g.seq = ? AND length(g.payload) <= ?
