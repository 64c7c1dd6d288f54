INSERT INTO {schema}.definitions (
    workflow_id, structure_hash, policy_fingerprint, document, saved_at
)
VALUES (
    %(workflow_id)s, %(structure_hash)s, %(policy_fingerprint)s, %(document)s, {now}
)
ON CONFLICT (workflow_id, structure_hash) DO NOTHING
