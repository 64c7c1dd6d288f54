SELECT output
FROM steps
WHERE run = ? AND node = ? AND turns = ? AND status = 'succeeded' AND length(output) <= ?
