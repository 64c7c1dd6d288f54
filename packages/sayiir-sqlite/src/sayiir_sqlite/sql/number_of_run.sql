SELECT run FROM instances WHERE run_id = ? AND instance_id = ?
