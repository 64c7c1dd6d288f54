DELETE FROM labels WHERE key = ? AND value = ? AND run = ?
