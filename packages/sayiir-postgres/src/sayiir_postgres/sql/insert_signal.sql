INSERT INTO {schema}.signals (instance_id, seq, name, received_at, consumed_by, payload)
VALUES (%(instance_id)s, %(seq)s, %(name)s, %(received_at)s, %(consumed_by)s, %(payload)b)
