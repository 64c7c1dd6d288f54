SELECT * FROM cursor_rows
WHERE run = ? AND state = 'awaiting' AND signal = ? AND session IS NULL
