SELECT document
FROM {schema}.definitions
WHERE workflow_id = %(workflow_id)s AND structure_hash = %(structure_hash)s
