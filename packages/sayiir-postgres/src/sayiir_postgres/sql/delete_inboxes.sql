DELETE FROM {schema}.inbox WHERE instance_id = ANY(%(instance_ids)b::text[])
