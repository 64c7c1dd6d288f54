DELETE FROM instances WHERE run = ?
