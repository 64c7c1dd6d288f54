INSERT INTO {schema}.steps (
    run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
    source, error_path, error_type, error_message, error_traceback, output
)
SELECT
    run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
    source, error_path, error_type, error_message, error_traceback, output
FROM unnest(
    %(run)b::uuid[], %(node)b::int[], %(turns)b::bytea[], %(attempt)b::int[],
    %(fence)b::bigint[], %(seq)b::bigint[], %(session)b::text[], %(status)b::text[],
    %(verdict)b::text[], %(started_at)b::timestamptz[], %(finished_at)b::timestamptz[],
    %(source)b::text[], %(error_path)b::text[], %(error_type)b::text[],
    %(error_message)b::text[], %(error_traceback)b::text[], %(output)b::bytea[]
) WITH ORDINALITY AS w (
    run, node, turns, attempt, fence, seq, session, status, verdict, started_at, finished_at,
    source, error_path, error_type, error_message, error_traceback, output, position
)
ORDER BY position
