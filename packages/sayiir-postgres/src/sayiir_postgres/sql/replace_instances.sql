UPDATE {schema}.instances AS i
SET run = w.run, number = DEFAULT, definition = w.definition,
    policy_fingerprint = w.policy_fingerprint, state = 'running', owner = w.owner,
    error_path = NULL, error_type = NULL, error_message = NULL, error_traceback = NULL,
    reason = NULL, requested_by = NULL, output = NULL, labels = w.labels,
    trace_parent = w.trace_parent, created_at = w.created_at, finished_at = NULL,
    ended_fence = NULL, ended_seq = NULL, input = w.payload
FROM unnest(
    %(instance_id)b::text[], %(run)b::uuid[], %(definition)b::int[],
    %(policy_fingerprint)b::text[], %(owner)b::text[], %(labels)b::jsonb[],
    %(trace_parent)b::text[], %(created_at)b::timestamptz[], %(payload)b::bytea[]
) AS w (
    instance_id, run, definition, policy_fingerprint, owner, labels, trace_parent, created_at,
    payload
)
WHERE i.instance_id = w.instance_id
