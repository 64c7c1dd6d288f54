WITH wanted AS (
    SELECT *
    FROM unnest(
        %(kinds)b::text[], %(instance_ids)b::text[], %(runs)b::uuid[], %(numbers)b::bigint[],
        %(turns)b::bytea[]
    ) WITH ORDINALITY AS w (kind, instance_id, run, number, turns, position)
), found AS (
    SELECT w.position, i.input AS payload
    FROM wanted AS w
    JOIN {schema}.instances AS i ON i.run = w.run
    WHERE w.kind = 'input'
    UNION ALL
    SELECT w.position, s.output
    FROM wanted AS w
    JOIN {schema}.steps AS s ON s.run = w.run AND s.node = w.number AND s.turns = w.turns
    WHERE w.kind = 'step' AND s.status = 'succeeded'
    UNION ALL
    SELECT w.position, s.payload
    FROM wanted AS w
    JOIN {schema}.instances AS i ON i.run = w.run AND i.instance_id = w.instance_id
    JOIN {schema}.signals AS s ON s.instance_id = i.instance_id AND s.seq = w.number
    WHERE w.kind = 'signal'
), measured AS (
    SELECT position, payload, sum(octet_length(payload)) OVER (ORDER BY position) AS total
    FROM found
    WHERE octet_length(payload) <= %(each)s
)
SELECT position, payload FROM measured WHERE total <= %(together)s
