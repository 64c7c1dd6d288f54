SELECT value FROM scopes WHERE run = ? AND idx = ? AND scope = ?
