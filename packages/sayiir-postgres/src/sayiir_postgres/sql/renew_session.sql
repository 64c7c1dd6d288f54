UPDATE {schema}.sessions AS s
SET renewed_at = {now},
    steady_since = CASE WHEN {now} - s.renewed_at > s.ttl THEN {now} ELSE s.steady_since END
WHERE s.session_id = %(session)s AND s.state = 'live'
RETURNING clock_timestamp()
