SELECT s.turns
FROM {schema}.steps AS s
WHERE s.run = %(run)s AND s.node = %(node)s AND s.turns >= %(prefix)b
    AND (%(behind)b::bytea IS NULL OR s.turns < %(behind)b::bytea)
ORDER BY s.turns DESC
LIMIT 1
