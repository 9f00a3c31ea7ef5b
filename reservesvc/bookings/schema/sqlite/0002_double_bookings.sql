-- Version 2. What callers send with a booking beside its slot, and whether it is a double one.

ALTER TABLE bookings ADD COLUMN participants TEXT NOT NULL DEFAULT '[]';
ALTER TABLE bookings ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
-- The booking of the group that this one has a seat of.
ALTER TABLE bookings ADD COLUMN owner_booking_id TEXT;
-- Whether the caller allowed double bookings: such a booking stands outside of the count.
ALTER TABLE bookings ADD COLUMN double INTEGER NOT NULL DEFAULT 0 CHECK (double IN (0, 1));

DROP INDEX bookings_blocking;
CREATE INDEX bookings_blocking
    ON bookings (resource_id, start_ms, end_ms, quantity, double, blocks) WHERE blocks;
CREATE INDEX bookings_owner ON bookings (owner_booking_id, id) WHERE owner_booking_id IS NOT NULL;
