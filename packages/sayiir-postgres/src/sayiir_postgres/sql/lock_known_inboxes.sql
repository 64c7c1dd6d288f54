SELECT instance_id
FROM {schema}.inbox
WHERE instance_id = ANY(%(instance_ids)b::text[])
ORDER BY instance_id
FOR NO KEY UPDATE
