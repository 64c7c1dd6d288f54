DELETE FROM signals WHERE inbox = (SELECT inbox FROM inboxes WHERE instance_id = ?)
