SELECT run FROM instances WHERE run_id = ?
