SELECT {cursor_columns}, {run_columns}
FROM {schema}.cursors AS c
JOIN {schema}.instances AS i ON i.run = c.run
JOIN {schema}.definitions AS d ON d.definition = i.definition
WHERE c.session = %(session)s
    AND (%(run)s::uuid IS NULL OR c.run = %(run)s::uuid)
    AND NOT EXISTS (
    SELECT 1
    FROM unnest(%(runs)b::uuid[], %(scopes)b::int[], %(idxs)b::bytea[], %(fences)b::bigint[])
        AS k (run, scope, idx, fence)
    WHERE k.run = c.run AND k.scope = c.scope AND k.idx = c.idx AND k.fence = c.fence
)
ORDER BY c.run, c.scope, c.idx
FOR NO KEY UPDATE OF c
