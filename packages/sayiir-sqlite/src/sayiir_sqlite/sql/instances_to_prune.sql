SELECT i.run, i.instance_id, i.labels
FROM instances AS i
WHERE
    i.finished_at < ? AND i.finished_at IS NOT NULL
    AND +i.state IN ('completed', 'failed', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM cursors AS c WHERE c.run = i.run AND c.session IS NOT NULL)
ORDER BY i.finished_at
LIMIT ?
