s.number, s.node, s.turns, s.attempt, s.status, s.output, s.source, s.verdict, s.error_path,
s.error_type, s.error_message, s.error_traceback, s.started_at, s.finished_at, s.session, s.fence,
s.seq
