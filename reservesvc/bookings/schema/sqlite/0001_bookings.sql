-- Version 1. Times are milliseconds since the Unix epoch. Needs SQLite 3.24 with JSON.

-- "RsVc": marks the file as a booking store, so that no other database is migrated.
PRAGMA application_id = 0x52735663;

CREATE TABLE bookings (
    id TEXT NOT NULL PRIMARY KEY,
    reservation_id TEXT NOT NULL UNIQUE,
    entry_id TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    project_id TEXT,
    graph TEXT NOT NULL,
    state TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL CHECK (end_ms > start_ms),
    quantity INTEGER NOT NULL CHECK (quantity >= 1),
    what TEXT NOT NULL,
    place TEXT NOT NULL,
    description TEXT NOT NULL,
    customers TEXT NOT NULL,
    meta TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    -- Whether the state keeps the slot from others, as the graph says; stored for the index.
    blocks INTEGER NOT NULL CHECK (blocks IN (0, 1)),
    key_digest TEXT UNIQUE,
    key_fingerprint TEXT,
    CHECK ((key_digest IS NULL) = (key_fingerprint IS NULL))
);

-- What blocks a slot, answered from the index alone. `blocks` is also a column of it, because
-- SQLite looks it up in the table otherwise, although every row of the index has it.
CREATE INDEX bookings_blocking
    ON bookings (resource_id, start_ms, end_ms, quantity, blocks) WHERE blocks;
-- What lists ask for.
CREATE INDEX bookings_created ON bookings (created_ms, id);
CREATE INDEX bookings_start ON bookings (start_ms, id);
CREATE INDEX bookings_resource ON bookings (resource_id, created_ms, id);
CREATE INDEX bookings_project ON bookings (project_id, created_ms, id);

CREATE TABLE resource_fences (
    resource_id TEXT NOT NULL PRIMARY KEY,
    fence INTEGER NOT NULL,
    -- The longest booking that ever blocked the resource: how far before a slot a booking
    -- that reaches into it can start.
    longest_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
);
CREATE INDEX projects_created ON projects (created_ms);

CREATE TABLE resources (
    id TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
);

-- Idempotency-Keys of calls that made a project or a resource; a booking carries its own.
CREATE TABLE idempotency_keys (
    digest TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_made ON idempotency_keys (kind, id);

-- One row, raised by every change to a project or a resource.
CREATE TABLE settings_version (version INTEGER NOT NULL);
INSERT INTO settings_version (version) VALUES (1);
