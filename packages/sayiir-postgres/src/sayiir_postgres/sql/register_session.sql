INSERT INTO {schema}.sessions (
    session_id, worker_id, host, kernel, pid, process_start, ttl, state, renewed_at, steady_since,
    lanes
)
SELECT
    %(session)s, %(worker_id)s, %(host)s, %(kernel)s, %(pid)s, %(process_start)s, %(ttl)s, 'live',
    moment.now, moment.now, %(lanes)b::int[]
FROM (SELECT {now} AS now) AS moment
ON CONFLICT (session_id) DO NOTHING
