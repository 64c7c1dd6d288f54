DELETE FROM {schema}.cursors AS c
USING unnest(%(runs)b::uuid[], %(scopes)b::int[], %(idxs)b::bytea[]) AS w (run, scope, idx)
WHERE c.run = w.run AND c.scope = w.scope AND c.idx = w.idx
