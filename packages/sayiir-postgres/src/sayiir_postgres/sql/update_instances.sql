UPDATE {schema}.instances AS i
SET state = w.state, owner = w.owner, error_path = w.error_path, error_type = w.error_type,
    error_message = w.error_message, error_traceback = w.error_traceback, reason = w.reason,
    requested_by = w.requested_by, output = w.output, finished_at = w.finished_at,
    ended_fence = w.ended_fence, ended_seq = w.ended_seq
FROM unnest(
    %(instance_id)b::text[], %(run)b::uuid[], %(state)b::text[], %(owner)b::text[],
    %(error_path)b::text[], %(error_type)b::text[], %(error_message)b::text[],
    %(error_traceback)b::text[], %(reason)b::text[], %(requested_by)b::text[],
    %(output)b::text[], %(finished_at)b::timestamptz[], %(ended_fence)b::bigint[],
    %(ended_seq)b::bigint[]
) AS w (
    instance_id, run, state, owner, error_path, error_type, error_message, error_traceback,
    reason, requested_by, output, finished_at, ended_fence, ended_seq
)
WHERE i.instance_id = w.instance_id AND i.run = w.run
