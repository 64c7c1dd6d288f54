-- A stream is one lane at one priority, a range of the index in the order of the queue. First a
-- few of each stream tell how far the best reach; then every stream is read from its first up to
-- there: what ended lately stands before the first, as dead entries of the index, and is passed
-- once. The best are locked in their order, one after the other, until there are enough.
WITH alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(session)s AND state = 'live'
    FOR KEY SHARE
), stream AS MATERIALIZED (
    SELECT l.lane, p.priority, p.priority * %(aging_interval)s::interval AS handicap, m.now
    FROM alive
    CROSS JOIN (SELECT {now} AS now) AS m
    CROSS JOIN unnest(%(lanes)b::int[]) AS l (lane)
    CROSS JOIN generate_series(1, 5) AS p (priority)
), served AS MATERIALIZED (
    SELECT DISTINCT o.lane
    FROM {schema}.sessions AS s
    CROSS JOIN unnest(s.lanes) AS o (lane)
    WHERE s.state = 'live' AND s.session_id <> %(session)s AND o.lane = ANY(%(lanes)b::int[])
), front AS MATERIALIZED (
    SELECT s.lane, s.priority, s.handicap, s.now, q.queued_at
    FROM stream AS s
    CROSS JOIN LATERAL (
        SELECT c.queued_at
        FROM {schema}.cursors AS c
        WHERE c.queue_lane = s.lane AND c.queue_priority = s.priority AND c.queued_at <= s.now
            AND (
                c.avoid IS NULL OR c.avoid <> %(session)s OR c.avoid_until <= s.now
                OR c.queue_lane <> ALL(ARRAY(SELECT lane FROM served))
            )
        ORDER BY c.queued_at
        LIMIT %(share)s
    ) AS q
), bound AS (
    SELECT queued_at + handicap AS rank
    FROM front
    ORDER BY rank
    OFFSET %(reach)s - 1 LIMIT 1
), flowing AS MATERIALIZED (
    SELECT lane, priority, handicap, now, min(queued_at) AS first
    FROM front
    GROUP BY lane, priority, handicap, now
), due AS MATERIALIZED (
    SELECT q.place, q.run, q.scope, q.idx, s.lane, s.now, q.queued_at + s.handicap AS rank
    FROM flowing AS s
    CROSS JOIN LATERAL (
        SELECT c.ctid AS place, c.run, c.scope, c.idx, c.queued_at
        FROM {schema}.cursors AS c
        WHERE c.queue_lane = s.lane AND c.queue_priority = s.priority AND c.queued_at >= s.first
            AND c.queued_at <= LEAST(s.now, (SELECT rank FROM bound) - s.handicap)
            AND (
                c.avoid IS NULL OR c.avoid <> %(session)s OR c.avoid_until <= s.now
                OR c.queue_lane <> ALL(ARRAY(SELECT lane FROM served))
            )
        ORDER BY c.queued_at
        LIMIT %(reach)s
    ) AS q
    ORDER BY rank, q.run, q.scope, q.idx
    LIMIT %(reach)s
), taken AS (
    SELECT t.place
    FROM due AS q
    CROSS JOIN LATERAL (
        SELECT c.ctid AS place
        FROM {schema}.cursors AS c
        WHERE c.ctid = q.place AND c.queue_lane = q.lane AND c.queued_at <= q.now
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS t
    LIMIT %(limit)s
), claimed AS (
    UPDATE {schema}.cursors AS c
    SET session = %(session)s, claim_no = %(claim_no)s, fence = c.fence + 1,
        queue_lane = NULL, queue_priority = NULL, queued_at = NULL
    WHERE c.ctid = ANY(ARRAY(SELECT place FROM taken))
    RETURNING c.*
), filled AS MATERIALIZED (
    SELECT
        c.*, i.instance_id, i.trace_parent,
        c.available_at + c.priority * %(aging_interval)s::interval AS rank,
        CASE left(c.input, 1)
        WHEN 'i' THEN i.input
        WHEN 's' THEN (
            SELECT s.output
            FROM {schema}.steps AS s
            WHERE s.run = c.run AND s.node = split_part(substr(c.input, 2), '@', 1)::int
                AND s.turns = CASE WHEN strpos(c.input, '@') = 0 THEN '' ELSE (
                    SELECT string_agg(substr(int8send(t.number::bigint), 5), '' ORDER BY t.depth)
                    FROM unnest(string_to_array(split_part(c.input, '@', 2), '.'))
                        WITH ORDINALITY AS t (number, depth)
                ) END
                AND s.status = 'succeeded'
        )
        WHEN 'g' THEN (
            SELECT s.payload
            FROM {schema}.signals AS s
            WHERE s.instance_id = i.instance_id AND s.seq = substr(c.input, 2)::bigint
        )
    END AS payload
    FROM claimed AS c
    CROSS JOIN LATERAL (
        -- The offset keeps this a look-up per row, however small the table seems to the planner.
        SELECT i.instance_id, i.trace_parent, i.input
        FROM {schema}.instances AS i
        WHERE i.run = c.run
        OFFSET 0
    ) AS i
)
SELECT
    (SELECT count(*) FROM due), c.instance_id, c.definition, c.tags, c.run::text, c.trace_parent,
    c.scope, c.idx, c.node, c.turns, c.input, c.priority, c.state, c.available_at, c.attempt,
    c.fresh_from, c.deaths, c.signal, c.delivered, c.fence, c.seq, c.avoid, c.avoid_until,
    CASE
        WHEN octet_length(c.payload) <= %(each)s AND sum(
            CASE WHEN octet_length(c.payload) <= %(each)s THEN octet_length(c.payload) END
        ) OVER (ORDER BY c.rank, c.run, c.scope, c.idx) <= %(together)s
        THEN c.payload
    END
FROM alive
LEFT JOIN filled AS c ON true
ORDER BY c.rank, c.run, c.scope, c.idx
