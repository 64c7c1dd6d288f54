DELETE FROM inputs WHERE run = ?
