SELECT i.instance_id
FROM {schema}.instances AS i
WHERE i.finished_at < %(finished_before)s
    AND i.state IN ('completed', 'failed', 'cancelled')
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.cursors AS c WHERE c.run = i.run AND c.session IS NOT NULL
    )
ORDER BY i.finished_at
LIMIT %(limit)s
