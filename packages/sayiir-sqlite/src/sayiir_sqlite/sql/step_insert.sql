INSERT INTO steps (
    step,
    run, node, turns, attempt, status, source, verdict, error, started_at, finished_at, session,
    fence, seq, output
)
VALUES (
    1 + COALESCE(
        (SELECT MAX(step) FROM steps WHERE step >= ?1 << 28 AND step < (?1 + 1) << 28), ?1 << 28
    ),
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
)
