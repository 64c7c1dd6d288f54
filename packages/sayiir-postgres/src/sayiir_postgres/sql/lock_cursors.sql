WITH wanted AS (
    SELECT c.run, c.scope, c.idx
    FROM {schema}.cursors AS c
    WHERE c.run = ANY(%(whole)b::uuid[])
    UNION
    SELECT run, scope, idx
    FROM unnest(%(runs)b::uuid[], %(scopes)b::int[], %(idxs)b::bytea[]) AS w (run, scope, idx)
)
SELECT {cursor_columns}, {run_columns}
FROM wanted AS w
JOIN {schema}.cursors AS c ON c.run = w.run AND c.scope = w.scope AND c.idx = w.idx
JOIN {schema}.instances AS i ON i.run = c.run
JOIN {schema}.definitions AS d ON d.definition = i.definition
ORDER BY c.run, c.scope, c.idx
FOR NO KEY UPDATE OF c
