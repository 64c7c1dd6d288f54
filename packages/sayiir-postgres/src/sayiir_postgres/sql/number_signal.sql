INSERT INTO {schema}.inbox AS b (instance_id, last)
VALUES (%(instance_id)s, 1)
ON CONFLICT (instance_id) DO UPDATE SET last = b.last + 1
RETURNING last
