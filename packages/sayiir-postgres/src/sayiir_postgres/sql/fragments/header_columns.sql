i.instance_id, i.run::text, i.definition, d.workflow_id, d.structure_hash, i.policy_fingerprint,
i.trace_parent, i.created_at, i.state, i.owner, i.error_path, i.error_type, i.error_message,
i.error_traceback, i.reason, i.requested_by, i.output, i.labels, i.finished_at, i.ended_fence,
i.ended_seq
