UPDATE instances
SET
    state = ?, owner = (SELECT session FROM sessions WHERE session_id = ?), error = ?, reason = ?,
    requested_by = ?, output = ?, finished_at = ?, ended_fence = ?, ended_seq = ?
WHERE run = ?
