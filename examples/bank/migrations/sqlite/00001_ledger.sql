-- +goose Up

-- Amounts are minor units of the row's currency. Times are milliseconds since
-- 1970-01-01 UTC. A text that is absent is empty, never null.
CREATE TABLE accounts (
    id          TEXT PRIMARY KEY,
    institution TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('customer', 'settlement', 'fees', 'cash')),
    name        TEXT NOT NULL,
    currency    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'blocked')),
    balance     INTEGER NOT NULL DEFAULT 0,
    held        INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    opened_ms   INTEGER NOT NULL,
    CHECK (role <> 'customer' OR balance - held >= 0)
);

-- An institution has one account of its own per role and currency.
CREATE UNIQUE INDEX accounts_by_role ON accounts (institution, role, currency) WHERE role <> 'customer';

CREATE TABLE identifiers (
    institution TEXT NOT NULL,
    type        TEXT NOT NULL,
    value       TEXT NOT NULL,
    currency    TEXT NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (institution, type, value, currency)
);
CREATE INDEX identifiers_by_account ON identifiers (account_id);

CREATE TABLE tariffs (
    institution  TEXT NOT NULL,
    direction    TEXT NOT NULL CHECK (direction IN ('outgoing', 'incoming')),
    currency     TEXT NOT NULL,
    fixed        INTEGER NOT NULL CHECK (fixed >= 0),
    basis_points INTEGER NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    PRIMARY KEY (institution, direction, currency)
);

CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    fee        INTEGER NOT NULL CHECK (fee >= 0),
    state      TEXT NOT NULL CHECK (state IN ('open', 'booked', 'released')),
    reference  TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    placed_ms  INTEGER NOT NULL,
    closed_ms  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX holds_by_reference ON holds (reference);
CREATE INDEX holds_open ON holds (account_id) WHERE state = 'open';

CREATE TABLE bookings (
    id        TEXT PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('payment', 'deposit', 'transfer', 'opening')),
    hold_id   TEXT NOT NULL,
    reference TEXT NOT NULL,
    purpose   TEXT NOT NULL,
    booked_ms INTEGER NOT NULL
);
CREATE INDEX bookings_by_reference ON bookings (reference);
CREATE UNIQUE INDEX bookings_by_hold ON bookings (hold_id) WHERE hold_id <> '';

-- The journal: a booking's entries add up to zero in each currency. A positive
-- amount is a credit to the account.
CREATE TABLE entries (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    booking_id    TEXT NOT NULL REFERENCES bookings (id),
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    amount        INTEGER NOT NULL CHECK (amount <> 0),
    currency      TEXT NOT NULL,
    balance_after INTEGER NOT NULL
);
CREATE INDEX entries_by_booking ON entries (booking_id);
CREATE INDEX entries_by_account ON entries (account_id, id);

-- +goose StatementBegin
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
-- +goose StatementEnd

-- The answer to each idempotency key, written by the transaction that did the deed.
CREATE TABLE operations (
    key         TEXT PRIMARY KEY,
    digest      BLOB NOT NULL,
    status      INTEGER NOT NULL,
    answer      BLOB NOT NULL,
    performed_ms INTEGER NOT NULL
);

-- +goose Down
DROP TABLE operations;
DROP TABLE entries;
DROP TABLE bookings;
DROP TABLE holds;
DROP TABLE tariffs;
DROP TABLE identifiers;
DROP TABLE accounts;
