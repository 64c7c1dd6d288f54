COALESCE(%(now)s::timestamptz, clock_timestamp())
