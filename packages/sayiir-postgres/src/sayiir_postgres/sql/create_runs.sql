WITH batch AS (
    SELECT *
    FROM unnest(
        %(instance_id)b::text[], %(run)b::uuid[], %(definition)b::int[],
        %(policy_fingerprint)b::text[], %(owner)b::text[], %(labels)b::jsonb[],
        %(trace_parent)b::text[], %(payload)b::bytea[], %(lane)b::int[], %(fence)b::bigint[],
        %(node)b::int[], %(input)b::text[], %(tags)b::text[], %(priority)b::int[]
    ) WITH ORDINALITY AS b (
        instance_id, run, definition, policy_fingerprint, owner, labels, trace_parent, payload,
        lane, fence, node, input, tags, priority, position
    )
), alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = ANY(%(owners)b::text[]) AND state = 'live'
    ORDER BY session_id
    FOR KEY SHARE
), orphan AS (
    SELECT b.position FROM batch AS b
    WHERE b.owner IS NOT NULL AND b.owner NOT IN (SELECT session_id FROM alive)
), moment AS MATERIALIZED (
    SELECT {now} AS now
), born AS (
    INSERT INTO {schema}.instances (
        instance_id, run, definition, policy_fingerprint, state, owner, labels, trace_parent,
        created_at, input
    )
    SELECT
        b.instance_id, b.run, b.definition, b.policy_fingerprint, 'running', b.owner, b.labels,
        b.trace_parent, m.now, b.payload
    FROM batch AS b
    CROSS JOIN moment AS m
    WHERE NOT EXISTS (SELECT 1 FROM orphan)
    ORDER BY b.instance_id COLLATE "C"
    ON CONFLICT (instance_id) DO NOTHING
    RETURNING run, created_at
), placed AS (
    INSERT INTO {schema}.cursors (
        run, scope, idx, definition, owner, session, claim_no, fence, held, state, pending, tags,
        priority, queue_lane, queue_priority, queued_at, seq, node, turns, input, available_at,
        attempt, fresh_from
    )
    SELECT
        b.run, 0, '', b.definition, b.owner, b.owner, 0, b.fence, false, 'ready', 0, b.tags,
        b.priority,
        CASE WHEN b.owner IS NULL THEN b.lane END,
        CASE WHEN b.owner IS NULL THEN b.priority END,
        CASE WHEN b.owner IS NULL THEN n.created_at END,
        0, b.node, '', b.input, n.created_at, 0, 0
    FROM born AS n
    JOIN batch AS b ON b.run = n.run
)
SELECT b.position, n.created_at, o.position IS NOT NULL AS orphan
FROM batch AS b
LEFT JOIN born AS n ON n.run = b.run
LEFT JOIN orphan AS o ON o.position = b.position
