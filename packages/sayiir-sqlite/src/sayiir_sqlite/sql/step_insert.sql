INSERT INTO steps (
    step,
    run, node, turns, attempt, status, source, verdict, error, started_at, finished_at, session,
    fence, seq, output
)
VALUES (
    1 + COALESCE((SELECT MAX(step) FROM steps WHERE step >= ? AND step < ?), ?),
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?
)
