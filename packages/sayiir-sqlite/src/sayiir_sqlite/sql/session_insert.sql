INSERT INTO sessions (
    session_id, worker_id, host, boot, pid, lock_file, ttl, renewed_at, steady_since
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
