INSERT INTO session_lanes (session, workflow_id, structure_hash, grp, position)
VALUES (?, ?, ?, ?, ?)
