UPDATE signals
SET consumed_by = ?
WHERE inbox = (SELECT inbox FROM inboxes WHERE instance_id = ?) AND seq = ?
