s.session_id, s.worker_id, s.host, s.kernel, s.pid, s.process_start, s.ttl, s.renewed_at, s.state,
COALESCE((
    SELECT jsonb_agg(
        jsonb_build_array(d.workflow_id, d.structure_hash, l.tags) ORDER BY w.position
    )
    FROM unnest(s.lanes) WITH ORDINALITY AS w (lane, position)
    JOIN {schema}.lanes AS l ON l.lane = w.lane
    JOIN {schema}.definitions AS d ON d.definition = l.definition
), '[]')
