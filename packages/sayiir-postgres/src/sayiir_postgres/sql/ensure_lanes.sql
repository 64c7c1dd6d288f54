INSERT INTO {schema}.lanes (definition, tags)
SELECT w.definition, w.tags
FROM unnest(%(definitions)b::int[], %(tags)b::text[]) AS w (definition, tags)
WHERE NOT EXISTS (
    SELECT 1 FROM {schema}.lanes AS l WHERE l.definition = w.definition AND l.tags = w.tags
)
ORDER BY w.definition, w.tags COLLATE "C"
ON CONFLICT (definition, tags) DO NOTHING
