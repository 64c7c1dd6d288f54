UPDATE {schema}.signals AS s
SET consumed_by = w.run
FROM unnest(%(instance_ids)b::text[], %(seqs)b::bigint[], %(runs)b::uuid[])
    AS w (instance_id, seq, run)
WHERE s.instance_id = w.instance_id AND s.seq = w.seq
