SELECT {cursor_columns}
FROM {schema}.cursors AS c
WHERE c.run = (SELECT i.run FROM {schema}.instances AS i WHERE i.instance_id = %(instance_id)s)
    AND c.state = 'awaiting' AND c.signal = %(name)s
ORDER BY c.scope, c.idx
FOR NO KEY UPDATE
