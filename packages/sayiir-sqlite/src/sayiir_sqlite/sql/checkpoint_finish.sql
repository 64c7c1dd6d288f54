DELETE FROM cursors
WHERE run = ? AND scope = ? AND idx = ? AND session = ? AND fence = ? AND seq = ? AND held = 0
