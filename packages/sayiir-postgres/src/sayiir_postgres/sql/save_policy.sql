INSERT INTO {schema}.policies (definition, policy_fingerprint, document, saved_at)
SELECT d.definition, %(policy_fingerprint)s, %(document)s, {now}
FROM {schema}.definitions AS d
WHERE d.workflow_id = %(workflow_id)s AND d.structure_hash = %(structure_hash)s
ON CONFLICT (definition, policy_fingerprint) DO NOTHING
