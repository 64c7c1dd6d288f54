SELECT 1 FROM policies WHERE definition = ? AND fingerprint = ?
