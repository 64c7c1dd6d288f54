UPDATE {schema}.cursors AS c
SET owner = w.owner, session = w.session, claim_no = w.claim_no, fence = w.fence, held = w.held,
    state = w.state, pending = w.pending, tags = w.tags, priority = w.priority,
    signal = w.signal, delivered = w.delivered,
    queue_lane = CASE WHEN w.queued THEN (
        SELECT l.lane FROM {schema}.lanes AS l
        WHERE l.definition = w.definition AND l.tags = w.tags
    ) END,
    queue_priority = CASE WHEN w.queued THEN w.priority END,
    queued_at = CASE WHEN w.queued THEN w.available_at END,
    seq = w.seq, node = w.node, turns = w.turns, input = w.input, available_at = w.available_at,
    attempt = w.attempt, fresh_from = w.fresh_from, deaths = w.deaths, avoid = w.avoid,
    avoid_until = w.avoid_until, started_at = w.started_at
FROM unnest(
    %(run)b::uuid[], %(scope)b::int[], %(idx)b::bytea[], %(definition)b::int[],
    %(owner)b::text[], %(session)b::text[], %(claim_no)b::bigint[], %(fence)b::bigint[],
    %(held)b::bool[], %(state)b::text[], %(pending)b::int[], %(tags)b::text[],
    %(priority)b::int[], %(signal)b::text[], %(delivered)b::bigint[], %(queued)b::bool[],
    %(seq)b::bigint[], %(node)b::int[], %(turns)b::bytea[], %(input)b::text[],
    %(available_at)b::timestamptz[], %(attempt)b::int[], %(fresh_from)b::int[],
    %(deaths)b::text[], %(avoid)b::text[], %(avoid_until)b::timestamptz[],
    %(started_at)b::timestamptz[]
) AS w (
    run, scope, idx, definition, owner, session, claim_no, fence, held, state, pending, tags,
    priority, signal, delivered, queued, seq, node, turns, input, available_at, attempt,
    fresh_from, deaths, avoid, avoid_until, started_at
)
WHERE c.run = w.run AND c.scope = w.scope AND c.idx = w.idx
