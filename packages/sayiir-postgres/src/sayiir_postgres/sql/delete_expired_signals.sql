DELETE FROM {schema}.signals AS s
USING unnest(%(instance_ids)b::text[], %(seqs)b::bigint[]) AS w (instance_id, seq)
WHERE s.instance_id = w.instance_id AND s.seq = w.seq
    AND s.consumed_by IS NULL AND s.received_at < %(received_before)s
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.instances AS i
        WHERE i.instance_id = s.instance_id AND i.state NOT IN ('completed', 'cancelled')
    )
RETURNING s.seq
