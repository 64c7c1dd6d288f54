WITH kind AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(definition)b::int[], %(policy_fingerprint)b::text[], %(owner)b::text[],
        %(lane)b::int[], %(fence)b::bigint[], %(node)b::int[], %(input)b::text[],
        %(tags)b::text[], %(priority)b::int[]
    ) WITH ORDINALITY AS k (
        definition, policy_fingerprint, owner, lane, fence, node, input, tags, priority, kind
    )
), batch AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(kind)b::int[], %(instance_id)b::text[], %(run)s::uuid[], %(labels)b::text[],
        %(trace_parent)b::text[], %(payload)b::bytea[]
    ) WITH ORDINALITY AS b (
        kind, instance_id, run, labels, trace_parent, payload, position
    )
), alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = ANY(%(owners)b::text[]) AND state = 'live'
    ORDER BY session_id
    FOR KEY SHARE
), orphan AS MATERIALIZED (
    SELECT k.owner FROM kind AS k
    WHERE k.owner IS NOT NULL AND k.owner NOT IN (SELECT session_id FROM alive)
), moment AS MATERIALIZED (
    SELECT {now} AS now
), born AS (
    INSERT INTO {schema}.instances (
        instance_id, run, definition, policy_fingerprint, state, owner, labels, trace_parent,
        created_at, input
    )
    SELECT
        b.instance_id, b.run, k.definition, k.policy_fingerprint, 'running', k.owner,
        COALESCE(b.labels::jsonb, '{{}}'), b.trace_parent, m.now, b.payload
    FROM batch AS b
    JOIN kind AS k ON k.kind = b.kind
    CROSS JOIN moment AS m
    WHERE NOT EXISTS (SELECT 1 FROM orphan)
    ORDER BY b.instance_id COLLATE "C"
    ON CONFLICT (instance_id) DO NOTHING
    RETURNING run
), placed AS (
    INSERT INTO {schema}.cursors (
        run, scope, idx, definition, owner, session, claim_no, fence, held, state, pending, tags,
        priority, queue_lane, queue_priority, queued_at, seq, node, turns, input, available_at,
        attempt, fresh_from
    )
    SELECT
        b.run, 0, '', k.definition, k.owner, k.owner, 0, k.fence, false, 'ready', 0, k.tags,
        k.priority,
        CASE WHEN k.owner IS NULL THEN k.lane END,
        CASE WHEN k.owner IS NULL THEN k.priority END,
        CASE WHEN k.owner IS NULL THEN m.now END,
        0, k.node, '', k.input, m.now, 0, 0
    FROM batch AS b
    JOIN kind AS k ON k.kind = b.kind
    CROSS JOIN moment AS m
    WHERE b.run IN (SELECT n.run FROM born AS n)
)
SELECT
    m.now,
    (SELECT o.owner FROM orphan AS o LIMIT 1),
    ARRAY(SELECT b.position FROM batch AS b WHERE b.run NOT IN (SELECT n.run FROM born AS n))
FROM moment AS m
