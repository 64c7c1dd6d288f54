DELETE FROM scopes WHERE run = ?
