UPDATE cursors
SET session = NULL, started_at = NULL, deaths = ?
WHERE run = ? AND scope = ? AND idx = ?
