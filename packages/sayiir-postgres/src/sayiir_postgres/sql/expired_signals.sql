SELECT s.instance_id, s.seq
FROM {schema}.signals AS s
WHERE s.consumed_by IS NULL AND s.received_at < %(received_before)s
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.instances AS i
        WHERE i.instance_id = s.instance_id AND i.state NOT IN ('completed', 'cancelled')
    )
ORDER BY s.received_at
LIMIT %(limit)s
