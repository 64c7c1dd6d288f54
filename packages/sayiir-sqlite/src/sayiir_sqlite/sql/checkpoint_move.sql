UPDATE cursors
SET
    node = ?, turns = ?, input = ?, grp = ?, priority = ?, available_at = ?, seq = seq + 1,
    state = 'ready', attempt = 0, fresh_from = 0, deaths = NULL, signal = NULL, delivered = NULL,
    started_at = NULL, avoid = NULL, avoid_until = NULL
WHERE run = ? AND scope = ? AND idx = ? AND session = ? AND fence = ? AND seq = ? AND held = 0
