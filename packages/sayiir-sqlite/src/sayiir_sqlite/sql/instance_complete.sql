UPDATE instances
SET
    state = 'completed', owner = NULL, output = ?, finished_at = ?, ended_fence = ?, ended_seq = ?
WHERE run = ?
