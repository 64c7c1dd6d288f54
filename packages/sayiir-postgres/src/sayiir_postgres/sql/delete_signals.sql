DELETE FROM {schema}.signals WHERE instance_id = ANY(%(instance_ids)b::text[])
