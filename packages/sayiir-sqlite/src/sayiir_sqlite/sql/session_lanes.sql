SELECT workflow_id, structure_hash, grp FROM session_lanes WHERE session = ? ORDER BY position
