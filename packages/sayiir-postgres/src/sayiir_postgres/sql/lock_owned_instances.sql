SELECT {header_columns}
FROM {schema}.instances AS i
JOIN {schema}.definitions AS d ON d.definition = i.definition
WHERE i.owner = %(session)s
ORDER BY i.instance_id
LIMIT %(limit)s
FOR NO KEY UPDATE OF i
