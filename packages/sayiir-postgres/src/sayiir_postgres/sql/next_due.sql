SELECT min(q.queued_at)
FROM unnest(%(lanes)b::int[]) AS l (lane)
CROSS JOIN generate_series(1, 5) AS p (priority)
CROSS JOIN LATERAL (
    SELECT c.queued_at
    FROM {schema}.cursors AS c
    WHERE c.queue_lane = l.lane AND c.queue_priority = p.priority AND c.queued_at IS NOT NULL
    ORDER BY c.queued_at
    LIMIT 1
) AS q
