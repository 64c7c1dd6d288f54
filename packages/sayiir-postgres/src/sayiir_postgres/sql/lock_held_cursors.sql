SELECT {cursor_columns}, {run_columns}
FROM {schema}.cursors AS c
JOIN {schema}.instances AS i ON i.run = c.run
JOIN {schema}.definitions AS d ON d.definition = i.definition
WHERE c.session = %(session)s
ORDER BY c.run, c.scope, c.idx
LIMIT %(limit)s
FOR NO KEY UPDATE OF c
