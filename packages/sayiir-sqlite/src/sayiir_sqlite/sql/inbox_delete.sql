DELETE FROM inboxes WHERE instance_id = ?
