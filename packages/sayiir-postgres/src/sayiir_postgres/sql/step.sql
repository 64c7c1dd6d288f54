SELECT {step_columns}
FROM {schema}.steps AS s
WHERE s.run = %(run)s AND s.node = %(node)s AND s.turns = %(turns)b
ORDER BY s.status = 'succeeded' DESC, s.attempt DESC
LIMIT 1
