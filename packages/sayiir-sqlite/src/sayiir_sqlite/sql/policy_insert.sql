INSERT INTO policies (definition, fingerprint, document) VALUES (?, ?, ?)
ON CONFLICT (definition, fingerprint) DO NOTHING
