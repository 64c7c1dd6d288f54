SELECT scope, value
FROM {schema}.scopes
WHERE run = %(run)s AND idx = %(idx)b AND scope >= %(first)s AND scope < %(behind)s
