-- Child rows name their run by a uuid and have no foreign keys: a key check would lock the row of
-- the instance at every step. Whoever removes a run removes its rows, under the locks that
-- docs/locking.md names.

CREATE TABLE {schema}.definitions (
    definition integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_id text COLLATE "C" NOT NULL,
    structure_hash text COLLATE "C" NOT NULL,
    policy_fingerprint text COLLATE "C" NOT NULL,
    document text NOT NULL,
    saved_at timestamptz NOT NULL,
    UNIQUE (workflow_id, structure_hash)
);

-- Every policy that ran under a definition, with the whole definition as it was tuned then.
CREATE TABLE {schema}.policies (
    definition integer NOT NULL,
    policy_fingerprint text COLLATE "C" NOT NULL,
    document text NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (definition, policy_fingerprint)
);

-- A lane is a queue: a definition and the canonical tag set of a task, interned.
CREATE TABLE {schema}.lanes (
    lane integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    definition integer NOT NULL,
    tags text COLLATE "C" NOT NULL,
    PRIMARY KEY (definition, tags)
);

CREATE TABLE {schema}.sessions (
    session_id text COLLATE "C" PRIMARY KEY,
    worker_id text NOT NULL,
    host text NOT NULL,
    kernel text,
    pid integer NOT NULL,
    process_start bigint,
    ttl interval NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'ended', 'dead')),
    renewed_at timestamptz NOT NULL,
    steady_since timestamptz NOT NULL,
    lanes integer[] NOT NULL,
    ended_at timestamptz,
    released_at timestamptz
) WITH (fillfactor = 50);

CREATE INDEX sessions_live ON {schema}.sessions (session_id)
    WHERE state = 'live';
CREATE INDEX sessions_unreleased ON {schema}.sessions (session_id)
    WHERE state <> 'live' AND released_at IS NULL;

CREATE TABLE {schema}.instances (
    instance_id text COLLATE "C" PRIMARY KEY,
    run uuid NOT NULL UNIQUE,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    definition integer NOT NULL,
    policy_fingerprint text COLLATE "C" NOT NULL,
    state text NOT NULL,
    owner text COLLATE "C",
    error_path text,
    error_type text,
    error_message text,
    error_traceback text,
    reason text,
    requested_by text,
    output text,
    labels jsonb NOT NULL,
    trace_parent text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    ended_fence bigint,
    ended_seq bigint,
    input bytea NOT NULL
) WITH (fillfactor = 80);

-- Payloads are opaque and often compressed already: stored out of line as they are.
ALTER TABLE {schema}.instances ALTER COLUMN input SET STORAGE EXTERNAL;

CREATE INDEX instances_labels ON {schema}.instances USING gin (labels jsonb_path_ops)
    WHERE labels <> '{{}}';
CREATE INDEX instances_finished ON {schema}.instances (finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX instances_failed ON {schema}.instances (number)
    WHERE state = 'failed';
CREATE INDEX instances_owner ON {schema}.instances (owner, instance_id)
    WHERE owner IS NOT NULL;

-- The three queue columns repeat lane, priority and available_at while a pool may claim the
-- cursor and are null otherwise. So the index holds nothing else, and the move of a claimed
-- cursor touches no indexed column (a heap-only update). owner repeats that of the instance, so
-- that whoever locks only cursors still knows it. What rarely changes stands first, which keeps
-- the log of an update short.
CREATE TABLE {schema}.cursors (
    run uuid NOT NULL,
    scope integer NOT NULL,
    idx bytea NOT NULL,
    definition integer NOT NULL,
    owner text COLLATE "C",
    session text COLLATE "C",
    claim_no bigint NOT NULL,
    fence bigint NOT NULL,
    held boolean NOT NULL,
    state text NOT NULL,
    pending integer NOT NULL,
    tags text COLLATE "C" NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 5),
    signal text COLLATE "C",
    delivered bigint,
    queue_lane integer,
    queue_priority smallint,
    queued_at timestamptz,
    seq bigint NOT NULL,
    node integer NOT NULL,
    turns bytea NOT NULL,
    input text NOT NULL,
    available_at timestamptz,
    attempt integer NOT NULL,
    fresh_from integer NOT NULL,
    deaths text,
    avoid text COLLATE "C",
    avoid_until timestamptz,
    started_at timestamptz,
    PRIMARY KEY (run, scope, idx),
    CHECK (num_nulls(queue_lane, queue_priority, queued_at) IN (0, 3))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX cursors_queue ON {schema}.cursors (queue_lane, queue_priority, queued_at)
    WHERE queued_at IS NOT NULL;
CREATE INDEX cursors_session ON {schema}.cursors (session) WHERE session IS NOT NULL;

CREATE TABLE {schema}.steps (
    run uuid NOT NULL,
    node integer NOT NULL,
    turns bytea NOT NULL,
    attempt integer NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    fence bigint NOT NULL,
    seq bigint NOT NULL,
    session text COLLATE "C" NOT NULL,
    status text NOT NULL,
    verdict text,
    started_at timestamptz,
    finished_at timestamptz,
    source text,
    error_path text,
    error_type text,
    error_message text,
    error_traceback text,
    output bytea,
    PRIMARY KEY (run, node, turns, attempt) INCLUDE (number)
);

ALTER TABLE {schema}.steps ALTER COLUMN output SET STORAGE EXTERNAL;

-- Ordered so that the branches of one fork are one range, in the order of their declaration.
CREATE TABLE {schema}.scopes (
    run uuid NOT NULL,
    idx bytea NOT NULL,
    scope integer NOT NULL,
    fence bigint NOT NULL,
    seq bigint NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (run, idx, scope)
);

-- One row per instance id that ever touched a signal; it may precede the instance. It numbers the
-- signals and is the lock between send and park.
CREATE TABLE {schema}.inbox (
    instance_id text COLLATE "C" PRIMARY KEY,
    last bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE {schema}.signals (
    instance_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    consumed_by uuid,
    payload bytea NOT NULL,
    PRIMARY KEY (instance_id, seq)
);

ALTER TABLE {schema}.signals ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX signals_pending ON {schema}.signals (instance_id, name, seq)
    WHERE consumed_by IS NULL;
CREATE INDEX signals_received ON {schema}.signals (received_at)
    WHERE consumed_by IS NULL;

-- What waits for workers, per queue, for whoever starts and stops them. One range of the index per
-- lane and priority: what sleeps, or waits for a later attempt, is not read. A function, because
-- tables as small as lanes are never analysed: the planner then expects so many that it compiles
-- the query, which takes longer than the query.
CREATE FUNCTION {schema}.measure_queues() RETURNS TABLE (
    workflow_id text, tags text, ready bigint, oldest_ready_seconds double precision
)
LANGUAGE sql STABLE ROWS 100
SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $measure_queues$
SELECT
    d.workflow_id,
    l.tags,
    sum(q.ready)::bigint,
    COALESCE(
        EXTRACT(EPOCH FROM statement_timestamp() - min(q.oldest)), 0
    )::double precision
FROM {schema}.lanes AS l
JOIN {schema}.definitions AS d ON d.definition = l.definition
CROSS JOIN LATERAL (
    SELECT count(*) AS ready, min(c.queued_at) AS oldest
    FROM {schema}.cursors AS c
    WHERE c.queue_lane = l.lane AND c.queue_priority = ANY ('{{1,2,3,4,5}}'::smallint[])
        AND c.queued_at <= statement_timestamp()
) AS q
GROUP BY d.workflow_id, l.tags
$measure_queues$;

CREATE VIEW {schema}.queue_depth AS
SELECT workflow_id, tags, ready, oldest_ready_seconds FROM {schema}.measure_queues();
