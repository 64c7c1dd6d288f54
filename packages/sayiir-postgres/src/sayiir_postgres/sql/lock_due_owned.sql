SELECT {cursor_columns}, {run_columns}
FROM {schema}.cursors AS c
JOIN {schema}.instances AS i ON i.run = c.run
JOIN {schema}.definitions AS d ON d.definition = i.definition
WHERE c.run = %(run)s AND c.owner = %(session)s AND c.session IS NULL
ORDER BY c.run, c.scope, c.idx
FOR NO KEY UPDATE OF c
