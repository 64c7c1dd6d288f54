DELETE FROM {schema}.instances WHERE instance_id = ANY(%(instance_ids)b::text[])
