SELECT l.lane, LEAST(sum(q.ready), %(at_most)s)::int, min(q.oldest)
FROM (SELECT {now} AS now) AS m
CROSS JOIN unnest(%(lanes)b::int[]) AS l (lane)
CROSS JOIN generate_series(1, 5) AS p (priority)
CROSS JOIN LATERAL (
    SELECT count(*) AS ready, min(c.queued_at) AS oldest
    FROM (
        SELECT c.queued_at
        FROM {schema}.cursors AS c
        WHERE c.queue_lane = l.lane AND c.queue_priority = p.priority AND c.queued_at <= m.now
        ORDER BY c.queued_at
        LIMIT %(at_most)s
    ) AS c
) AS q
GROUP BY l.lane
