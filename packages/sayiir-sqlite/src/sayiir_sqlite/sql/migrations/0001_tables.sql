-- Each number below stands for a long text: a run, a session, a definition, an inbox. Numbers that
-- a cache may hold (AUTOINCREMENT) are never given twice, also not after their row is gone.
-- Instants and lengths of time are microseconds. Indexes of loops are packed, four bytes a turn.

-- "Sayi": what tells this file from anybody else's.
PRAGMA application_id = 1398897001;

CREATE TABLE definitions (
    definition INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id TEXT NOT NULL,
    structure_hash TEXT NOT NULL,
    UNIQUE (workflow_id, structure_hash)
);

-- A definition as it was under each policy; the first one is the definition as it was stored.
CREATE TABLE policies (
    policy INTEGER PRIMARY KEY,
    definition INTEGER NOT NULL REFERENCES definitions (definition),
    fingerprint TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (definition, fingerprint)
);

-- `lock_file` is the name in the folder beside the database; its lock proves life.
CREATE TABLE sessions (
    session INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL UNIQUE,
    worker_id TEXT NOT NULL,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid INTEGER NOT NULL,
    lock_file TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    steady_since INTEGER NOT NULL,
    ended_at INTEGER
);

CREATE INDEX live_sessions ON sessions (session) WHERE ended_at IS NULL;

-- The queues that a session takes work from, in its order. A worker may serve a definition before
-- anybody has stored it, so they have their long names here.
CREATE TABLE session_lanes (
    session INTEGER NOT NULL REFERENCES sessions (session),
    workflow_id TEXT NOT NULL,
    structure_hash TEXT NOT NULL,
    grp TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (session, workflow_id, structure_hash, grp)
) WITHOUT ROWID;

CREATE TABLE instances (
    run INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    instance_id TEXT NOT NULL UNIQUE,
    definition INTEGER NOT NULL REFERENCES definitions (definition),
    policy_fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    owner INTEGER REFERENCES sessions (session),
    error TEXT,
    reason TEXT,
    requested_by TEXT,
    output TEXT,
    labels TEXT,
    trace_parent TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    ended_fence INTEGER,
    ended_seq INTEGER
);

CREATE INDEX instances_by_state ON instances (state);

CREATE INDEX instances_by_end ON instances (finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX instances_by_owner ON instances (owner) WHERE owner IS NOT NULL;

CREATE INDEX instances_with_error ON instances (run) WHERE error IS NOT NULL;

-- Apart from the instance, whose row is rewritten when it ends.
CREATE TABLE inputs (
    run INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
);

CREATE TABLE labels (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (key, value, run)
) WITHOUT ROWID;

-- `definition` and `owned` repeat the instance's, so that a claim reads one index and nothing else.
CREATE TABLE cursors (
    run INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    idx BLOB NOT NULL,
    definition INTEGER NOT NULL,
    node INTEGER NOT NULL,
    turns BLOB NOT NULL,
    input TEXT NOT NULL,
    grp TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    available_at INTEGER,
    attempt INTEGER NOT NULL,
    fresh_from INTEGER NOT NULL,
    deaths TEXT,
    signal TEXT,
    delivered INTEGER,
    pending INTEGER NOT NULL,
    held INTEGER NOT NULL,
    owned INTEGER NOT NULL,
    session INTEGER,
    claim_no INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    started_at INTEGER,
    avoid INTEGER,
    avoid_until INTEGER,
    PRIMARY KEY (run, scope, idx)
) WITHOUT ROWID;

-- The queue: one range per lane and priority, in order of age. What nobody may claim is not in it.
-- The columns behind the key, most of them the same in every entry, let a claim find what is best,
-- and pass over what avoids its session, without a look at any cursor.
CREATE INDEX claimable_cursors ON cursors (
    definition, grp, priority, available_at, run, scope, idx,
    avoid, avoid_until, session, held, owned
)
WHERE session IS NULL AND held = 0 AND owned = 0 AND available_at IS NOT NULL;

CREATE INDEX cursors_by_session ON cursors (session, claim_no) WHERE session IS NOT NULL;

-- `step` is the run's number times 2^28 plus the number of the step in its run: what belongs to a
-- run stands together, in the order in which it was written.
CREATE TABLE steps (
    step INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    node INTEGER NOT NULL,
    turns BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    source TEXT,
    verdict TEXT,
    error TEXT,
    started_at INTEGER,
    finished_at INTEGER,
    session INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    output BLOB,
    UNIQUE (run, node, turns, attempt)
);

-- In this order all branches of a fork are one range.
CREATE TABLE scopes (
    run INTEGER NOT NULL,
    idx BLOB NOT NULL,
    scope INTEGER NOT NULL,
    value TEXT NOT NULL,
    fence INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (run, idx, scope)
) WITHOUT ROWID;

CREATE TABLE inboxes (
    inbox INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL UNIQUE,
    last_seq INTEGER NOT NULL
);

CREATE TABLE signals (
    inbox INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    consumed_by INTEGER,
    payload BLOB NOT NULL,
    PRIMARY KEY (inbox, seq)
);

CREATE INDEX pending_signals ON signals (inbox, seq) WHERE consumed_by IS NULL;

CREATE INDEX pending_signals_by_age ON signals (received_at) WHERE consumed_by IS NULL;

CREATE VIEW header_rows AS
SELECT
    i.run,
    i.definition,
    i.instance_id,
    i.run_id,
    d.workflow_id,
    d.structure_hash,
    i.policy_fingerprint,
    i.state,
    s.session_id AS owner,
    i.error,
    i.reason,
    i.requested_by,
    i.output,
    i.labels,
    i.trace_parent,
    i.created_at,
    i.finished_at,
    i.ended_fence,
    i.ended_seq
FROM instances AS i
CROSS JOIN definitions AS d ON d.definition = i.definition
LEFT JOIN sessions AS s ON s.session = i.owner;

CREATE VIEW cursor_rows AS
SELECT
    c.run,
    c.scope,
    c.idx,
    c.node,
    c.turns,
    c.input,
    c.grp,
    c.priority,
    c.state,
    c.available_at,
    c.attempt,
    c.fresh_from,
    c.deaths,
    c.signal,
    c.delivered,
    c.pending,
    c.held,
    s.session_id AS holder,
    c.claim_no,
    c.fence,
    c.seq,
    c.started_at,
    a.session_id AS avoided,
    c.avoid_until,
    c.session
FROM cursors AS c
LEFT JOIN sessions AS s ON s.session = c.session
LEFT JOIN sessions AS a ON a.session = c.avoid;

CREATE VIEW step_rows AS
SELECT
    t.step,
    t.run,
    t.node,
    t.turns,
    t.attempt,
    t.status,
    t.source,
    t.verdict,
    t.error,
    t.started_at,
    t.finished_at,
    s.session_id,
    t.fence,
    t.seq,
    t.output
FROM steps AS t
LEFT JOIN sessions AS s ON s.session = t.session;

PRAGMA user_version = 1;
