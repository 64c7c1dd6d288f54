DELETE FROM {schema}.cursors WHERE run = ANY(%(runs)b::uuid[])
