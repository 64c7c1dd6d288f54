INSERT INTO {schema}.inbox AS b (instance_id, last)
SELECT instance_id, 0 FROM unnest(%(instance_ids)b::text[]) AS w (instance_id)
ORDER BY instance_id COLLATE "C"
ON CONFLICT (instance_id) DO UPDATE SET last = b.last
