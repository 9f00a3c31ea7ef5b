-- Version 5: what it costs to look at a slot no longer depends on what the planner knows of the
-- table. On a table that was never analyzed, a new one, it took the index by resource and creation
-- and went through all bookings of the resource: of 1,500, a booking took four times as long.

-- The indexes of lists, for lists alone: an index with a condition serves only queries that state
-- it. Lists do (postgres_search.py); it holds for every row. A server of an earlier version lists
-- without these indexes.
DROP INDEX bookings_start, bookings_resource;
CREATE INDEX bookings_start ON bookings (start_ms, id) WHERE created_ms >= 0;
CREATE INDEX bookings_resource ON bookings (resource_id, created_ms, id) WHERE created_ms >= 0;

-- Sessions keep their plans. One made while the table was small, to read all of it, must not be
-- there when it has grown; and looking in the index again needs no new plan each time.
ALTER FUNCTION fits SET enable_seqscan = off;
ALTER FUNCTION fits SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION book SET enable_seqscan = off;
ALTER FUNCTION book SET plan_cache_mode = force_generic_plan;
