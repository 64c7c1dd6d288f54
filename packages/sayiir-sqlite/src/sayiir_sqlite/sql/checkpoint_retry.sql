UPDATE cursors
SET
    attempt = ?, available_at = ?, avoid = session, avoid_until = ?, seq = seq + 1,
    state = 'ready', deaths = NULL, started_at = NULL, session = NULL
WHERE run = ? AND scope = ? AND idx = ? AND session = ? AND fence = ? AND seq = ? AND held = 0
