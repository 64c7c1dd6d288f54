SELECT w.position, i.run::text, i.ended_fence, i.ended_seq, s.fence, s.seq
FROM unnest(%(instance_ids)b::text[], %(runs)b::uuid[], %(scopes)b::int[], %(idxs)b::bytea[])
    WITH ORDINALITY AS w (instance_id, run, scope, idx, position)
LEFT JOIN {schema}.instances AS i ON i.instance_id = w.instance_id
LEFT JOIN {schema}.scopes AS s ON s.run = w.run AND s.idx = w.idx AND s.scope = w.scope
