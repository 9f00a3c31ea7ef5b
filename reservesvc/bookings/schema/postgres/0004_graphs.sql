-- Version 4: what the graphs need. A server of an earlier version may go on beside this one:
-- what it inserts gets these defaults, which are right for the one graph it knows. Constant
-- defaults rewrite no row.

ALTER TABLE bookings
    -- Whether a reservation of the caller's became the booking.
    ADD COLUMN from_reservation boolean NOT NULL DEFAULT false,
    -- Whether its state keeps its seats of a group from others.
    ADD COLUMN seated boolean NOT NULL DEFAULT false,
    -- What was sent along with actions.
    ADD COLUMN inputs json NOT NULL DEFAULT '{}' CHECK (inputs::jsonb IS NOT NULL),
    -- When its state's timer is due; NULL: never; 0: an earlier version wrote the row, and
    -- nobody has worked it out yet.
    ADD COLUMN due_ms bigint DEFAULT 0;

CREATE INDEX bookings_due ON bookings (due_ms, id) WHERE due_ms IS NOT NULL;

-- As in version 3, with what is new at the end. Dropped first, for two of one name could not be
-- told apart by who leaves the new parameters out.
DROP FUNCTION book;

-- Inserts a booking under a fence. Returns, and in this order of importance:
--   repeated     its reservation or its key has been booked: that booking is the answer
--   key_reused   its key has been used for something else
--   fence_moved  the resource's fence is another
--   taken        it does not fit
--   refused      another rule than the capacity keeps it out, as an id used twice
--   alone        it would have to wait for others, or is the resource's first
--   booked       it is inserted; followed by when its timer is due, if that was for the
--                database to say
-- Whether it is a repeat is asked last, where there is a reason: the unique columns let none in.
CREATE FUNCTION book(
    id text,
    reservation_id text,
    entry_id text,
    resource_id text,
    project_id text,
    graph text,
    state text,
    start_ms bigint,
    end_ms bigint,
    quantity bigint,
    what text,
    place text,
    description text,
    customers json,
    meta json,
    created_ms bigint,
    updated_ms bigint,
    participants json,
    settings json,
    owner_booking_id text,
    double boolean,
    blocks boolean,
    key_digest text,
    key_fingerprint text,
    fence bigint,
    -- An earlier attempt got no answer and may still be on its way. It must not be carried out
    -- after this one was refused, so a refusal by the capacity moves the fence.
    is_again boolean,
    -- Others are booked in the same transaction: nothing is waited for here.
    is_together boolean,
    from_reservation boolean DEFAULT false,
    inputs json DEFAULT '{}',
    -- When its state's timer is due (0: not worked out), or how long from now.
    due_ms bigint DEFAULT 0,
    due_after_ms bigint DEFAULT NULL
) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    answer text := 'fence_moved';
    earlier_fingerprint text;
    current_fence bigint;
    longest_ms bigint;
    capacity integer;
    for_ever_ms CONSTANT bigint := 9007199254740992;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- What is counted would be what was there before the lock was waited for.
        RAISE EXCEPTION 'bookings need READ COMMITTED' USING ERRCODE = '25000';
    END IF;

    IF book.is_together THEN
        SELECT own.fence, own.longest_ms INTO current_fence, longest_ms
        FROM resource_fences AS own WHERE own.resource_id = book.resource_id
        FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN 'alone';
        END IF;
    ELSE
        SELECT own.fence, own.longest_ms INTO current_fence, longest_ms
        FROM resource_fences AS own WHERE own.resource_id = book.resource_id FOR UPDATE;
    END IF;
    IF current_fence IS NULL THEN
        INSERT INTO resource_fences AS own VALUES (book.resource_id, 0, 0) ON CONFLICT DO NOTHING;
        SELECT own.fence, own.longest_ms INTO current_fence, longest_ms
        FROM resource_fences AS own WHERE own.resource_id = book.resource_id FOR UPDATE;
    END IF;

    IF current_fence = book.fence THEN
        capacity := coalesce(
            (SELECT r.capacity FROM resources AS r WHERE r.id = book.resource_id), 1);
        answer := 'taken';
        IF book.due_after_ms IS NOT NULL THEN
            book.due_ms := floor(extract(epoch FROM clock_timestamp()) * 1000)
                + book.due_after_ms;
        END IF;
        IF NOT book.blocks OR book.double OR fits(
            book.resource_id, book.start_ms, book.end_ms, book.quantity, capacity, longest_ms
        ) THEN
            -- A plain INSERT would wait for others at the exclusion constraint while it keeps
            -- its own entry there, and in a stampede they would wait for each other.
            INSERT INTO bookings (
                id, reservation_id, entry_id, resource_id, project_id, graph, state,
                start_ms, end_ms, quantity, what, place, description, customers, meta,
                created_ms, updated_ms, participants, settings, owner_booking_id, double,
                blocks, exclusive, key_digest, key_fingerprint, from_reservation, inputs, due_ms
            ) VALUES (
                book.id, book.reservation_id, book.entry_id, book.resource_id, book.project_id,
                book.graph, book.state, book.start_ms, book.end_ms, book.quantity, book.what,
                book.place, book.description, book.customers, book.meta, book.created_ms,
                book.updated_ms, book.participants, book.settings, book.owner_booking_id,
                book.double, book.blocks, capacity = 1 AND NOT book.double,
                book.key_digest, book.key_fingerprint, book.from_reservation, book.inputs,
                book.due_ms
            ) ON CONFLICT DO NOTHING;
            IF FOUND THEN
                IF book.blocks AND book.end_ms - book.start_ms > longest_ms THEN
                    UPDATE resource_fences AS own SET longest_ms = book.end_ms - book.start_ms
                    WHERE own.resource_id = book.resource_id;
                END IF;
                IF book.due_after_ms IS NULL THEN
                    RETURN 'booked';
                END IF;
                RETURN 'booked ' || book.due_ms;
            END IF;
            -- Where it still fits, it was not the slot that was in the way. Somebody may have
            -- booked past the lock, as by hand, and nobody noted how long that booking is: this
            -- looks back as far as time goes.
            IF NOT book.blocks OR book.double OR fits(
                book.resource_id, book.start_ms, book.end_ms, book.quantity, capacity, for_ever_ms
            ) THEN
                answer := 'refused';
            END IF;
        END IF;
    END IF;

    IF NOT (book.is_again OR book.is_together) THEN
        -- Nothing was changed, so that nobody has to wait for the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    PERFORM FROM bookings AS b WHERE b.reservation_id = book.reservation_id;
    IF FOUND THEN
        RETURN 'repeated';
    END IF;
    SELECT b.key_fingerprint INTO earlier_fingerprint
    FROM bookings AS b WHERE b.key_digest = book.key_digest;
    IF FOUND THEN
        RETURN CASE WHEN earlier_fingerprint = book.key_fingerprint
            THEN 'repeated' ELSE 'key_reused' END;
    END IF;
    IF answer = 'taken' AND book.is_again THEN
        UPDATE resource_fences AS own SET fence = own.fence + 1
        WHERE own.resource_id = book.resource_id;
    END IF;
    RETURN answer;
END
$$;
