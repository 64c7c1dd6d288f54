k.position, k.run, k.step_node, k.step_turns, k.attempt, k.fence, k.seq, k.status, k.verdict,
k.started_at, k.finished_at, k.source, k.error, k.output
