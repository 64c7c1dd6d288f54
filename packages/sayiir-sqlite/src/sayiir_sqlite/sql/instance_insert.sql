INSERT INTO instances (
    run_id, instance_id, definition, policy_fingerprint, state, owner, labels, trace_parent,
    created_at
)
VALUES (?, ?, ?, ?, ?, (SELECT session FROM sessions WHERE session_id = ?), ?, ?, ?)
ON CONFLICT (instance_id) DO NOTHING
