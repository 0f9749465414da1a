-- +goose Up

-- Every event of railhead.events.v1 as the core wrote it. Payment 0 holds events
-- that belong to no payment.
CREATE TABLE event (
    payment     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    cluster     INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    time_ms     INTEGER NOT NULL,
    raw         BLOB    NOT NULL
);
CREATE UNIQUE INDEX event_id ON event (payment, seq, cluster, incarnation, idx, n);

-- One row for every payment, folded from its events.
CREATE TABLE payment (
    key          INTEGER PRIMARY KEY,
    uuid         TEXT    NOT NULL,
    cluster      INTEGER NOT NULL,
    tenant       TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    flow         TEXT    NOT NULL,
    flow_version INTEGER NOT NULL,
    client_key   TEXT    NOT NULL,
    state        INTEGER NOT NULL, -- 1 running, 2 incident, 3 ended
    result       INTEGER NOT NULL, -- engine.v1.Result
    code         TEXT    NOT NULL,
    amount       INTEGER,          -- minor units; NULL: none, or not in minor units
    currency     TEXT    NOT NULL,
    started_ms   INTEGER NOT NULL,
    ended_ms     INTEGER NOT NULL, -- 0: not yet
    updated_ms   INTEGER NOT NULL,
    last_seq     INTEGER NOT NULL,
    incarnation  INTEGER NOT NULL, -- of the last event, with idx and n
    idx          INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    missing      INTEGER NOT NULL, -- events below last_seq that have not arrived
    incidents    TEXT    NOT NULL, -- JSON array of the open ones; '' for none
    change       INTEGER NOT NULL  -- counts the batches that touched any payment
);
CREATE INDEX payment_started  ON payment (started_ms, key);
CREATE INDEX payment_tenant   ON payment (tenant, started_ms, key);
CREATE INDEX payment_flow     ON payment (flow, started_ms, key);
CREATE INDEX payment_amount   ON payment (currency, amount, started_ms, key);
CREATE INDEX payment_state    ON payment (state, started_ms, key);
CREATE INDEX payment_result   ON payment (result, started_ms, key);
CREATE INDEX payment_change   ON payment (change);

-- The identifiers a payment can be found by.
CREATE TABLE correlation (
    value   TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    payment INTEGER NOT NULL,
    PRIMARY KEY (value, kind, payment)
) WITHOUT ROWID;

-- Records that could not be read.
CREATE TABLE dead_letter (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    id          TEXT    NOT NULL,
    record_key  BLOB,
    value       BLOB,
    cause       TEXT    NOT NULL,
    time_ms     INTEGER NOT NULL, -- the record's timestamp
    replayed_ms INTEGER NOT NULL  -- 0: not yet
);

-- How far each partition is consumed, committed with the rows it produced.
CREATE TABLE position (
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- The fence: one row; a batch commits only under the epoch it was claimed with.
CREATE TABLE consumer (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
);
INSERT INTO consumer (one, epoch) VALUES (1, 0);

-- Counts that would otherwise need a scan.
CREATE TABLE tally (
    name  TEXT    PRIMARY KEY,
    count INTEGER NOT NULL
) WITHOUT ROWID;

-- The audit chain.
CREATE TABLE audit (
    seq         INTEGER PRIMARY KEY,
    time_ms     INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    method      TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    result      TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    detail      BLOB    NOT NULL, -- SHA-256 of raw
    prev_hash   BLOB    NOT NULL,
    hash        BLOB    NOT NULL,
    raw         BLOB    NOT NULL
);
CREATE INDEX audit_tenant ON audit (tenant, seq);
CREATE UNIQUE INDEX audit_event ON audit (event_id) WHERE event_id <> '';
