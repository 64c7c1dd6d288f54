DELETE FROM cursors WHERE run = ?
