WITH alive AS (
    SELECT session_id FROM {schema}.sessions
    WHERE session_id = %(owner)s::text AND state = 'live'
    FOR KEY SHARE
), born AS (
    INSERT INTO {schema}.instances (
        instance_id, run, definition, policy_fingerprint, state, owner, labels, trace_parent,
        created_at, input
    )
    SELECT
        %(instance_id)s::text, %(run)s::uuid, %(definition)s::int, %(policy_fingerprint)s::text,
        'running', %(owner)s::text, COALESCE(%(labels)s::jsonb, '{{}}'), %(trace_parent)s::text,
        {now}, %(payload)b::bytea
    WHERE %(owner)s::text IS NULL OR EXISTS (SELECT 1 FROM alive)
    ON CONFLICT (instance_id) DO NOTHING
    RETURNING run, definition, owner, created_at
), placed AS (
    INSERT INTO {schema}.cursors (
        run, scope, idx, definition, owner, session, claim_no, fence, held, state, pending, tags,
        priority, queue_lane, queue_priority, queued_at, seq, node, turns, input, available_at,
        attempt, fresh_from
    )
    SELECT
        n.run, 0, '', n.definition, n.owner, n.owner, 0, %(fence)s::bigint, false, 'ready', 0,
        %(tags)s::text, %(priority)s::int,
        CASE WHEN n.owner IS NULL THEN %(lane)s::int END,
        CASE WHEN n.owner IS NULL THEN %(priority)s::int END,
        CASE WHEN n.owner IS NULL THEN n.created_at END,
        0, %(node)s::int, '', %(input)s::text, n.created_at, 0, 0
    FROM born AS n
)
SELECT
    (SELECT n.created_at FROM born AS n),
    %(owner)s::text IS NOT NULL AND NOT EXISTS (SELECT 1 FROM alive)
