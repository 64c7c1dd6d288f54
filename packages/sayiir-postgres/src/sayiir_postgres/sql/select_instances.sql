SELECT {header_columns}, i.number
FROM {schema}.instances AS i
JOIN {schema}.definitions AS d ON d.definition = i.definition
WHERE (%(after)s::bigint IS NULL OR i.number < %(after)s::bigint)
    AND (%(workflow_id)s::text IS NULL OR d.workflow_id = %(workflow_id)s::text)
    AND (%(state)s::text IS NULL OR i.state = %(state)s::text)
    AND (%(id_prefix)s::text IS NULL OR starts_with(i.instance_id, %(id_prefix)s::text))
    AND (%(created_before)s::timestamptz IS NULL OR i.created_at < %(created_before)s)
    AND (%(created_after)s::timestamptz IS NULL OR i.created_at > %(created_after)s)
    AND (
        %(error)s::text IS NULL
        OR (i.state = 'failed' AND (i.error_type || ': ' || i.error_message) ~ %(error)s::text)
    )
    AND (%(labels)s::jsonb IS NULL OR (i.labels <> '{{}}' AND i.labels @> %(labels)s::jsonb))
ORDER BY i.number DESC
LIMIT %(limit)s
