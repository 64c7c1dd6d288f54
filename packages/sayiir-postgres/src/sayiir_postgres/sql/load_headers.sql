SELECT {header_columns}
FROM {schema}.instances AS i
JOIN {schema}.definitions AS d ON d.definition = i.definition
WHERE i.instance_id = ANY(%(instance_ids)b::text[])
