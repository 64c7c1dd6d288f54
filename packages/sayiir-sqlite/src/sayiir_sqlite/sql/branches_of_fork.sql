SELECT scope, value FROM scopes WHERE run = ? AND idx = ? AND scope >= ? AND scope < ?
