SELECT w.instance_id, s.seq, s.name, s.received_at
FROM unnest(%(instance_ids)b::text[], %(names)b::text[], %(counts)b::int[])
    AS w (instance_id, name, count)
CROSS JOIN LATERAL (
    SELECT p.seq, p.name, p.received_at
    FROM {schema}.signals AS p
    WHERE p.instance_id = w.instance_id AND p.name = w.name AND p.consumed_by IS NULL
    ORDER BY p.seq
    LIMIT w.count
) AS s
ORDER BY w.instance_id, s.seq
