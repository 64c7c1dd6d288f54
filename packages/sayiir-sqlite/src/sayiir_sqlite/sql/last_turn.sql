SELECT turns FROM steps
WHERE run = ? AND node = ? AND turns >= ? AND turns <= ?
ORDER BY turns DESC
LIMIT 1
