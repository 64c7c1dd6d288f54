SELECT {cursor_columns}
FROM {schema}.cursors AS c
WHERE c.run IN (
    SELECT i.run FROM {schema}.instances AS i WHERE i.instance_id = ANY(%(instance_ids)b::text[])
)
ORDER BY c.run, c.scope, c.idx
FOR NO KEY UPDATE
