SELECT {session_columns}
FROM {schema}.sessions AS s
WHERE s.state = 'live'
ORDER BY s.worker_id COLLATE "C", s.session_id
