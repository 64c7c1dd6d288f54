SELECT seq, name, received_at
FROM {schema}.signals
WHERE instance_id = %(instance_id)s AND consumed_by IS NULL
ORDER BY seq
