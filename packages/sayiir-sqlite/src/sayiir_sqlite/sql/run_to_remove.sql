SELECT run, instance_id, labels FROM instances WHERE instance_id = ?
