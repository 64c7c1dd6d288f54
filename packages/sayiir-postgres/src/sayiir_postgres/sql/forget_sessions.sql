DELETE FROM {schema}.sessions
WHERE state <> 'live' AND released_at < {now} - interval '30 days'
