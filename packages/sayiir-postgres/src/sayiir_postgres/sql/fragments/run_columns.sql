i.instance_id, i.run::text, i.definition, d.workflow_id, d.structure_hash, i.policy_fingerprint,
i.trace_parent, i.created_at
