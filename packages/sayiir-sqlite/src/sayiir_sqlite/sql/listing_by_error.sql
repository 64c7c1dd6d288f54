SELECT h.*
FROM header_rows AS h
WHERE
    h.run < :before
    AND h.error IS NOT NULL
    AND (:workflow_id IS NULL OR h.workflow_id = :workflow_id)
    AND (:id_prefix IS NULL OR substr(h.instance_id, 1, length(:id_prefix)) = :id_prefix)
    AND (:created_before IS NULL OR h.created_at < :created_before)
    AND (:created_after IS NULL OR h.created_at > :created_after)
ORDER BY h.run DESC
