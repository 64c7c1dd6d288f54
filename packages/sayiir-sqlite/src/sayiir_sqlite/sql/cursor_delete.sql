DELETE FROM cursors WHERE run = ? AND scope = ? AND idx = ?
