INSERT INTO {schema}.lanes (definition, tags)
SELECT d.definition, w.tags
FROM {schema}.definitions AS d
CROSS JOIN unnest(%(tags)b::text[]) AS w (tags)
WHERE d.workflow_id = %(workflow_id)s AND d.structure_hash = %(structure_hash)s
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.lanes AS l WHERE l.definition = d.definition AND l.tags = w.tags
    )
ORDER BY w.tags COLLATE "C"
ON CONFLICT (definition, tags) DO NOTHING
