DELETE FROM {schema}.scopes WHERE run = ANY(%(runs)b::uuid[])
