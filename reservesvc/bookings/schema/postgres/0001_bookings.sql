-- Version 1. Times are milliseconds since the Unix epoch. Needs PostgreSQL 13.

-- For the exclusion constraint below. A trusted extension: who may create objects in the
-- database may create it. Where it is there already, no right is needed.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- One row for each step that was taken.
CREATE TABLE schema_version (
    version integer NOT NULL PRIMARY KEY,
    migrated_at timestamptz NOT NULL DEFAULT now()
);

-- Ids are compared byte by byte (COLLATE "C"), whatever the database's language.
CREATE TABLE bookings (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    reservation_id text COLLATE "C" NOT NULL UNIQUE,
    entry_id text COLLATE "C" NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    project_id text COLLATE "C",
    graph text NOT NULL,
    state text NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL CHECK (end_ms > start_ms),
    quantity integer NOT NULL CHECK (quantity >= 1),
    what text NOT NULL,
    place text NOT NULL,
    description text NOT NULL,
    -- json, not jsonb: it gives back what it was given, the order of keys and 1e16 included.
    -- The checks keep out what json takes and no search could read (an escaped NUL).
    customers json NOT NULL CHECK (customers::jsonb IS NOT NULL),
    meta json NOT NULL CHECK (meta::jsonb IS NOT NULL),
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    -- Whether the state keeps the slot from others, as the graph says; stored for the indexes.
    blocks boolean NOT NULL,
    -- Whether it was booked while its resource had a capacity of 1, and so excludes the others
    -- that were. Never changed afterwards: the constraint backs each booking with what held
    -- when it was made, and a changed capacity neither breaks it nor is held up by old rows.
    exclusive boolean NOT NULL,
    -- Whether the caller allowed double bookings: such a booking stands outside.
    double boolean NOT NULL DEFAULT false,
    key_digest text COLLATE "C" UNIQUE,
    key_fingerprint text,
    CHECK ((key_digest IS NULL) = (key_fingerprint IS NULL)),
    CHECK (NOT (exclusive AND double)),
    -- The backstop behind the code's own count: two bookings of one unit never overlap.
    CONSTRAINT bookings_exclusive EXCLUDE USING gist
        (resource_id WITH =, int8range(start_ms, end_ms) WITH &&) WHERE (blocks AND exclusive)
);

-- What blocks a slot, answered from the index alone.
CREATE INDEX bookings_blocking
    ON bookings (resource_id, start_ms) INCLUDE (end_ms, quantity) WHERE blocks;
-- What lists ask for.
CREATE INDEX bookings_created ON bookings (created_ms, id);
CREATE INDEX bookings_start ON bookings (start_ms, id);
CREATE INDEX bookings_resource ON bookings (resource_id, created_ms, id);
CREATE INDEX bookings_project ON bookings (project_id, created_ms, id);

-- Its row is the lock that everything which claims or frees a slot of the resource holds.
CREATE TABLE resource_fences (
    resource_id text COLLATE "C" NOT NULL PRIMARY KEY,
    fence bigint NOT NULL,
    -- The longest booking that ever blocked the resource: how far before a slot a booking
    -- that reaches into it can start.
    longest_ms bigint NOT NULL
);

CREATE TABLE projects (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    -- The order of insertion, for those of one millisecond.
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    slug text COLLATE "C" NOT NULL UNIQUE,
    document text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);
CREATE INDEX projects_created ON projects (created_ms, number);

CREATE TABLE resources (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    capacity integer NOT NULL CHECK (capacity >= 1),
    document text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);

-- Idempotency-Keys of calls that made a project or a resource; a booking carries its own.
CREATE TABLE idempotency_keys (
    digest text COLLATE "C" NOT NULL PRIMARY KEY,
    fingerprint text NOT NULL,
    kind text NOT NULL,
    id text COLLATE "C" NOT NULL
);
CREATE INDEX idempotency_keys_made ON idempotency_keys (kind, id);

-- One row, raised by every change to a project or a resource, and their lock.
CREATE TABLE settings_version (version bigint NOT NULL);
INSERT INTO settings_version (version) VALUES (1);
