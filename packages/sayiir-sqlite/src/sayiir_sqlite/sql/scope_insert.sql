INSERT INTO scopes (run, idx, scope, value, fence, seq) VALUES (?, ?, ?, ?, ?, ?)
