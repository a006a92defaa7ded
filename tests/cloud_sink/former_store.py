"""The tables as the first version of the store made them; written down once, never changed."""

FORMER = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- One row for each counts message, its payload byte for byte.
CREATE TABLE messages (
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL, boot TEXT NOT NULL,
    seq INTEGER NOT NULL, received_at REAL NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (tenant, store, unit, boot, seq));
-- One row for each window of those messages.
CREATE TABLE windows (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL, boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    zone TEXT NOT NULL, start REAL NOT NULL, length_s REAL NOT NULL, observed_s REAL NOT NULL,
    clock TEXT NOT NULL,
    pass_bys INTEGER NOT NULL, stops INTEGER NOT NULL, engaged INTEGER NOT NULL,
    reaches INTEGER, picks INTEGER, put_backs INTEGER,
    dwell_s REAL NOT NULL, bridged_s REAL NOT NULL, censored INTEGER NOT NULL,
    censored_dwell_s REAL NOT NULL, merged INTEGER NOT NULL,
    stop_s REAL NOT NULL, engage_s REAL NOT NULL, gap_s REAL NOT NULL, k INTEGER NOT NULL,
    definitions_version INTEGER NOT NULL);
CREATE INDEX windows_by_unit ON windows (unit, zone, start);
CREATE INDEX windows_by_start ON windows (start);
-- Which rows of a boot are held, as spans; in order of the boots' first arrival.
CREATE TABLE boots (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL, boot TEXT NOT NULL,
    first_at REAL NOT NULL, spans TEXT NOT NULL,
    UNIQUE (tenant, store, unit, boot));
CREATE TABLE units (
    tenant TEXT NOT NULL, store TEXT NOT NULL, unit TEXT NOT NULL,
    session INTEGER, online INTEGER, state_at REAL, health TEXT, health_at REAL, last_seen REAL,
    PRIMARY KEY (tenant, store, unit)) WITHOUT ROWID;
-- What was refused; bounded, while dead_counts never forgets.
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at REAL NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    size INTEGER NOT NULL, payload BLOB NOT NULL,
    tenant TEXT, store TEXT, unit TEXT, boot TEXT, seq INTEGER);
CREATE INDEX dead_letters_by_row ON dead_letters (tenant, store, unit, boot, seq)
    WHERE seq IS NOT NULL;
CREATE TABLE dead_counts (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 1397115988;
PRAGMA user_version = 1;
"""
