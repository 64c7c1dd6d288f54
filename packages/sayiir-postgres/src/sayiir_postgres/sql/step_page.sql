SELECT {step_columns}
FROM {schema}.steps AS s
WHERE s.run = %(run)s AND s.number > %(after)s
ORDER BY s.number
LIMIT %(limit)s
