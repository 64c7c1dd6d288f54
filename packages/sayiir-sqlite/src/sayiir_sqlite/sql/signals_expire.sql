DELETE FROM signals
WHERE rowid IN (
    SELECT g.rowid
    FROM signals AS g
    CROSS JOIN inboxes AS b ON b.inbox = g.inbox
    LEFT JOIN instances AS i ON i.instance_id = b.instance_id
    WHERE
        g.consumed_by IS NULL AND g.received_at < ?
        AND (i.run IS NULL OR i.state IN ('completed', 'cancelled'))
    ORDER BY g.received_at
    LIMIT ?
)
