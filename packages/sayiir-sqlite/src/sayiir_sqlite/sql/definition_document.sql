SELECT document FROM policies WHERE definition = ? ORDER BY policy LIMIT 1
