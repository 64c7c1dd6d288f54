SELECT inbox, last_seq FROM inboxes WHERE instance_id = ?
