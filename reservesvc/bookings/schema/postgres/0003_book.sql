-- Version 3. Booking in one statement. Everything that a booking takes is done at the database,
-- so that a hand-off costs one round trip, and the lock is not held while messages travel.
--
-- Each query of a VOLATILE function sees what was committed before it began (READ COMMITTED), so
-- what comes after the lock sees all that was done under it by others. One statement with CTEs
-- would not: it sees what was there before it waited.
--
-- A later version replaces a function in a step of its own. A new parameter comes last and has a
-- DEFAULT, for servers of the earlier version go on calling until they are restarted.

-- Tells whether so many more units fit at every instant of a slot. Whoever acts on the answer
-- holds the resource's row in resource_fences.
CREATE FUNCTION fits(
    resource_id text,
    start_ms bigint,
    end_ms bigint,
    quantity bigint,
    capacity integer,
    -- how far before the slot a booking that reaches into it can start
    longest_ms bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    units bigint;
BEGIN
    -- All that overlap the slot, as if at one instant: seldom more than fits.
    SELECT coalesce(sum(b.quantity), 0) INTO units
    FROM bookings AS b
    WHERE b.blocks AND NOT b.double AND b.resource_id = fits.resource_id
        AND b.start_ms > fits.start_ms - fits.longest_ms
        AND b.start_ms < fits.end_ms AND b.end_ms > fits.start_ms;
    IF units + fits.quantity > fits.capacity THEN
        -- At the fullest instant. At one instant ends come before starts: slots are half-open.
        SELECT coalesce(max(step.units), 0) INTO units
        FROM (
            SELECT sum(change.units) OVER (
                ORDER BY change.at_ms, change.units ROWS UNBOUNDED PRECEDING
            ) AS units
            FROM bookings AS b CROSS JOIN LATERAL (
                VALUES
                    (greatest(b.start_ms, fits.start_ms), b.quantity),
                    (least(b.end_ms, fits.end_ms), -b.quantity)
            ) AS change (at_ms, units)
            WHERE b.blocks AND NOT b.double AND b.resource_id = fits.resource_id
                AND b.start_ms > fits.start_ms - fits.longest_ms
                AND b.start_ms < fits.end_ms AND b.end_ms > fits.start_ms
        ) AS step;
    END IF;
    RETURN units + fits.quantity <= fits.capacity;
END
$$;

-- Inserts a booking under a fence. Returns, and in this order of importance:
--   repeated     its reservation or its key has been booked: that booking is the answer
--   key_reused   its key has been used for something else
--   fence_moved  the resource's fence is another
--   taken        it does not fit
--   refused      another rule than the capacity keeps it out, as an id used twice
--   alone        it would have to wait for others, or is the resource's first
--   booked       it is inserted
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
    is_together boolean
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
        IF NOT book.blocks OR book.double OR fits(
            book.resource_id, book.start_ms, book.end_ms, book.quantity, capacity, longest_ms
        ) THEN
            -- A plain INSERT would wait for others at the exclusion constraint while it keeps
            -- its own entry there, and in a stampede they would wait for each other.
            INSERT INTO bookings (
                id, reservation_id, entry_id, resource_id, project_id, graph, state,
                start_ms, end_ms, quantity, what, place, description, customers, meta,
                created_ms, updated_ms, participants, settings, owner_booking_id, double,
                blocks, exclusive, key_digest, key_fingerprint
            ) VALUES (
                book.id, book.reservation_id, book.entry_id, book.resource_id, book.project_id,
                book.graph, book.state, book.start_ms, book.end_ms, book.quantity, book.what,
                book.place, book.description, book.customers, book.meta, book.created_ms,
                book.updated_ms, book.participants, book.settings, book.owner_booking_id,
                book.double, book.blocks, capacity = 1 AND NOT book.double,
                book.key_digest, book.key_fingerprint
            ) ON CONFLICT DO NOTHING;
            IF FOUND THEN
                IF book.blocks AND book.end_ms - book.start_ms > longest_ms THEN
                    UPDATE resource_fences AS own SET longest_ms = book.end_ms - book.start_ms
                    WHERE own.resource_id = book.resource_id;
                END IF;
                RETURN 'booked';
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
