INSERT INTO definitions (workflow_id, structure_hash) VALUES (?, ?)
ON CONFLICT (workflow_id, structure_hash) DO NOTHING
