UPDATE cursors
SET started_at = ?, seq = seq + 1
WHERE run = ? AND scope = ? AND idx = ? AND session = ? AND fence = ? AND seq = ? AND held = 0
