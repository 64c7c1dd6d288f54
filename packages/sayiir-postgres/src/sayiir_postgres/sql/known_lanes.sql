SELECT w.workflow_id, w.structure_hash, w.tags, d.definition, l.lane
FROM unnest(%(workflow_ids)b::text[], %(structure_hashes)b::text[], %(tags)b::text[])
    AS w (workflow_id, structure_hash, tags)
JOIN {schema}.definitions AS d
    ON d.workflow_id = w.workflow_id AND d.structure_hash = w.structure_hash
LEFT JOIN {schema}.lanes AS l ON l.definition = d.definition AND l.tags = w.tags
