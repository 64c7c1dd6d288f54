DELETE FROM {schema}.steps WHERE run = ANY(%(runs)b::uuid[])
