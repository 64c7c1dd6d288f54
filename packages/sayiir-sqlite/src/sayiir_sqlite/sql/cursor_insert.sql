INSERT INTO cursors (
    run, scope, idx, definition,
    node, turns, input, grp, priority, state, available_at, attempt, fresh_from, deaths, signal,
    delivered, pending, held, owned, session, claim_no, fence, seq, started_at,
    avoid, avoid_until
)
VALUES (
    ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, (SELECT session FROM sessions WHERE session_id = ?), ?, ?, ?, ?,
    (SELECT session FROM sessions WHERE session_id = ?), ?
)
