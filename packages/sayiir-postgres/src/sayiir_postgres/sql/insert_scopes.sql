INSERT INTO {schema}.scopes (run, idx, scope, fence, seq, value)
SELECT run, idx, scope, fence, seq, value
FROM unnest(
    %(run)b::uuid[], %(idx)b::bytea[], %(scope)b::int[], %(fence)b::bigint[], %(seq)b::bigint[],
    %(value)b::text[]
) AS w (run, idx, scope, fence, seq, value)
ON CONFLICT (run, idx, scope)
DO UPDATE SET fence = excluded.fence, seq = excluded.seq, value = excluded.value
