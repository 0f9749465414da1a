-- +goose Up

-- Every event of railhead.events.v1 as the core wrote it. Payment 0 holds events
-- that belong to no payment.
CREATE TABLE event (
    payment     BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    cluster     BIGINT NOT NULL,
    incarnation BIGINT NOT NULL,
    idx         BIGINT NOT NULL,
    n           BIGINT NOT NULL,
    kind        BIGINT NOT NULL,
    time_ms     BIGINT NOT NULL,
    raw         BYTEA  NOT NULL
);
CREATE UNIQUE INDEX event_id ON event (payment, seq, cluster, incarnation, idx, n);

-- One row for every payment, folded from its events.
CREATE TABLE payment (
    key          BIGINT PRIMARY KEY,
    uuid         TEXT   NOT NULL,
    cluster      BIGINT NOT NULL,
    tenant       TEXT   NOT NULL,
    channel      TEXT   NOT NULL,
    flow         TEXT   NOT NULL,
    flow_version BIGINT NOT NULL,
    client_key   TEXT   NOT NULL,
    state        BIGINT NOT NULL, -- 1 running, 2 incident, 3 ended
    result       BIGINT NOT NULL, -- engine.v1.Result
    code         TEXT   NOT NULL,
    amount       BIGINT,          -- minor units; NULL: none, or not in minor units
    currency     TEXT   NOT NULL,
    started_ms   BIGINT NOT NULL,
    ended_ms     BIGINT NOT NULL, -- 0: not yet
    updated_ms   BIGINT NOT NULL,
    last_seq     BIGINT NOT NULL,
    incarnation  BIGINT NOT NULL, -- of the last event, with idx and n
    idx          BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    missing      BIGINT NOT NULL, -- events below last_seq that have not arrived
    incidents    TEXT   NOT NULL, -- JSON array of the open ones; '' for none
    change       BIGINT NOT NULL  -- counts the batches that touched any payment
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
    value   TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    payment BIGINT NOT NULL,
    PRIMARY KEY (value, kind, payment)
);

-- Records that could not be read.
CREATE TABLE dead_letter (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       TEXT   NOT NULL,
    partition   BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    id          TEXT   NOT NULL,
    record_key  BYTEA,
    value       BYTEA,
    cause       TEXT   NOT NULL,
    time_ms     BIGINT NOT NULL, -- the record's timestamp
    replayed_ms BIGINT NOT NULL  -- 0: not yet
);

-- How far each partition is consumed, committed with the rows it produced.
CREATE TABLE position (
    topic       TEXT   NOT NULL,
    partition   BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    updated_ms  BIGINT NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- The fence: one row; a batch commits only under the epoch it was claimed with.
CREATE TABLE consumer (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    epoch BIGINT NOT NULL
);
INSERT INTO consumer (one, epoch) VALUES (1, 0);

-- Counts that would otherwise need a scan.
CREATE TABLE tally (
    name  TEXT   PRIMARY KEY,
    count BIGINT NOT NULL
);

-- The audit chain.
CREATE TABLE audit (
    seq         BIGINT PRIMARY KEY,
    time_ms     BIGINT NOT NULL,
    actor       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    method      TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    tenant      TEXT   NOT NULL,
    result      TEXT   NOT NULL,
    event_id    TEXT   NOT NULL,
    detail      BYTEA  NOT NULL, -- SHA-256 of raw
    prev_hash   BYTEA  NOT NULL,
    hash        BYTEA  NOT NULL,
    raw         BYTEA  NOT NULL
);
CREATE INDEX audit_tenant ON audit (tenant, seq);
CREATE UNIQUE INDEX audit_event ON audit (event_id) WHERE event_id <> '';
