SELECT fence, seq FROM scopes WHERE run = ? AND idx = ? AND scope = ?
