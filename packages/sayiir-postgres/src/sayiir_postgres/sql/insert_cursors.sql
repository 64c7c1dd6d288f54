INSERT INTO {schema}.cursors (
    run, scope, idx, definition, owner, session, claim_no, fence, held, state, pending, tags,
    priority, signal, delivered, queue_lane, queue_priority, queued_at, seq, node, turns, input,
    available_at, attempt, fresh_from, deaths, avoid, avoid_until, started_at
)
SELECT
    w.run, w.scope, w.idx, w.definition, w.owner, w.session, w.claim_no, w.fence, w.held, w.state,
    w.pending, w.tags, w.priority, w.signal, w.delivered,
    CASE WHEN w.queued THEN (
        SELECT l.lane FROM {schema}.lanes AS l
        WHERE l.definition = w.definition AND l.tags = w.tags
    ) END,
    CASE WHEN w.queued THEN w.priority END,
    CASE WHEN w.queued THEN w.available_at END,
    w.seq, w.node, w.turns, w.input, w.available_at, w.attempt, w.fresh_from, w.deaths,
    w.avoid, w.avoid_until, w.started_at
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
