SELECT {session_columns}
FROM {schema}.sessions AS s
WHERE s.session_id = %(session)s
