UPDATE cursors
SET
    node = ?, turns = ?, input = ?, grp = ?, priority = ?, state = ?, available_at = ?,
    attempt = ?, fresh_from = ?, deaths = ?, signal = ?, delivered = ?, pending = ?, held = ?,
    owned = ?, session = (SELECT session FROM sessions WHERE session_id = ?), claim_no = ?,
    fence = ?, seq = ?, started_at = ?,
    avoid = (SELECT session FROM sessions WHERE session_id = ?), avoid_until = ?
WHERE run = ? AND scope = ? AND idx = ?
