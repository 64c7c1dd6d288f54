SELECT definition FROM definitions WHERE workflow_id = ? AND structure_hash = ?
