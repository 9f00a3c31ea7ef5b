-- Version 2. What callers send with a booking beside its slot; double bookings in the index.

ALTER TABLE bookings
    ADD COLUMN participants json NOT NULL DEFAULT '[]' CHECK (participants::jsonb IS NOT NULL),
    ADD COLUMN settings json NOT NULL DEFAULT '{}' CHECK (settings::jsonb IS NOT NULL),
    -- The booking of the group that this one has a seat of.
    ADD COLUMN owner_booking_id text COLLATE "C";

-- As before, and `double`, so that the count is still answered from the index alone.
DROP INDEX bookings_blocking;
CREATE INDEX bookings_blocking
    ON bookings (resource_id, start_ms) INCLUDE (end_ms, quantity, double) WHERE blocks;
CREATE INDEX bookings_owner ON bookings (owner_booking_id, id) WHERE owner_booking_id IS NOT NULL;
