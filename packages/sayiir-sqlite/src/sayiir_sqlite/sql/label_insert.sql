INSERT INTO labels (key, value, run) VALUES (?, ?, ?)
