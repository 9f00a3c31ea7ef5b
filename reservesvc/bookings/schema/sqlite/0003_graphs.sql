-- Version 3: what the graphs need. A server of an earlier version may go on beside this one:
-- what it inserts gets these defaults, which are right for the one graph it knows.

-- Whether a reservation of the caller's became the booking.
ALTER TABLE bookings ADD COLUMN from_reservation INTEGER NOT NULL DEFAULT 0
    CHECK (from_reservation IN (0, 1));
-- Whether its state keeps its seats of a group from others.
ALTER TABLE bookings ADD COLUMN seated INTEGER NOT NULL DEFAULT 0 CHECK (seated IN (0, 1));
-- What was sent along with actions.
ALTER TABLE bookings ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}';
-- When its state's timer is due; NULL: never; 0: an earlier version wrote the row, and nobody
-- has worked it out yet.
ALTER TABLE bookings ADD COLUMN due_ms INTEGER DEFAULT 0;

CREATE INDEX bookings_due ON bookings (due_ms, id) WHERE due_ms IS NOT NULL;
