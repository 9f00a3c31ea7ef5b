"""The slots of resources: fences, capacities, what blocks; each a function of a session.

A resource's row in `resource_fences` is the lock of all that claims or frees its slots.
"""

from collections.abc import Sequence

from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import entries_of, snapshot_of
from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.domain.slot import Usage
from reservesvc.ports import Snapshot

_BLOCKING_SINCE = """
    SELECT entry_id, start_ms, end_ms, quantity, id FROM bookings
    WHERE blocks AND resource_id = $1 AND start_ms > $2 AND end_ms > $3
    ORDER BY start_ms, id
"""
# OFFSET 0 lets each resource be looked up in the index by itself. The planner would otherwise go
# through all that ever began before the end of the time, once for all resources.
_BLOCKING_BETWEEN = """
    SELECT asked.id, found.entry_id, found.start_ms, found.end_ms, found.quantity
    FROM unnest($1::text[]) AS asked (id)
    LEFT JOIN resource_fences ON resource_fences.resource_id = asked.id COLLATE "C"
    CROSS JOIN LATERAL (
        SELECT entry_id, start_ms, end_ms, quantity FROM bookings
        WHERE blocks AND bookings.resource_id = asked.id COLLATE "C"
            AND start_ms > $2 - coalesce(longest_ms, 0) AND start_ms < $3 AND end_ms > $2
        OFFSET 0
    ) AS found
"""
_OVERLAPPING = """
    SELECT start_ms, end_ms, quantity FROM bookings
    WHERE blocks AND NOT double
        AND resource_id = $1 AND start_ms > $2 AND start_ms < $3 AND end_ms > $4
"""
_FENCE = "SELECT fence, longest_ms FROM resource_fences WHERE resource_id = $1"
_LOCK_FENCE = f"{_FENCE} FOR UPDATE"
_MAKE_FENCE = """
    INSERT INTO resource_fences (resource_id, fence, longest_ms) VALUES ($1, 0, 0)
    ON CONFLICT DO NOTHING
"""
_RAISE_FENCE = """
    INSERT INTO resource_fences AS own (resource_id, fence, longest_ms) VALUES ($1, 1, 0)
    ON CONFLICT (resource_id) DO UPDATE SET fence = own.fence + 1
    RETURNING fence, longest_ms
"""
_USED = "SELECT resource_id FROM resource_fences WHERE resource_id > $1 ORDER BY 1 LIMIT $2"
_RAISE_LONGEST = """
    UPDATE resource_fences SET longest_ms = greatest(longest_ms, $2) WHERE resource_id = $1
"""
_CAPACITY = "SELECT coalesce((SELECT capacity FROM resources WHERE id = $1), 1)"


async def snapshot(session: Session, resource_id: str, since_ms: int) -> Snapshot:
    """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
    fence, longest_ms = await raise_fence(session, resource_id)
    rows = await session.fetch(_BLOCKING_SINCE, resource_id, since_ms - longest_ms, since_ms)
    return snapshot_of(resource_id, fence, rows)


async def blocking(session: Session, resource_id: str, since_ms: int) -> Snapshot:
    """Return what `snapshot` would, with the fence as it stands."""
    fence, longest_ms = await session.fetchrow(_FENCE, resource_id) or (0, 0)
    rows = await session.fetch(_BLOCKING_SINCE, resource_id, since_ms - longest_ms, since_ms)
    return snapshot_of(resource_id, fence, rows)


async def used_resources(session: Session, after: str, limit: int) -> list[str]:
    """Return the next resources by id that were ever reserved or booked, up to `limit`."""
    return [row[0] for row in await session.fetch(_USED, after, limit)]


async def blocking_between(
    session: Session, resource_ids: Sequence[str], start_ms: int, end_ms: int
) -> dict[str, list[Entry]]:
    """Return the bookings that block the resources and overlap the time, by resource."""
    rows = await session.fetch(_BLOCKING_BETWEEN, list(resource_ids), start_ms, end_ms)
    return entries_of(rows)


async def raise_fence(session: Session, resource_id: str) -> tuple[int, int]:
    """Let every change that was prepared before begin again; return what `locked_fence` would."""
    fence, longest_ms = await session.fetchrow(_RAISE_FENCE, resource_id)
    return fence, longest_ms


async def locked_fence(session: Session, resource_id: str) -> tuple[int, int]:
    """Lock the resource; return its fence and how long its longest booking was."""
    row = await session.fetchrow(_LOCK_FENCE, resource_id)
    if row is None:
        await session.execute(_MAKE_FENCE, resource_id)
        row = await session.fetchrow(_LOCK_FENCE, resource_id)
    fence, longest_ms = row
    return fence, longest_ms


async def locked_fences(session: Session, *resource_ids: str) -> dict[str, tuple[int, int]]:
    """Lock both resources; always in the same order, so that no two wait for each other."""
    return {each: await locked_fence(session, each) for each in sorted(set(resource_ids))}


async def capacity(session: Session, resource_id: str) -> int:
    """Return how many units of the resource can be in use at once."""
    found: int = (await session.fetchrow(_CAPACITY, resource_id))[0]
    return found


async def counted(session: Session, booking: Booking, longest_ms: int) -> list[Usage]:
    """Return what counts in the booking's slot, where no booking is longer than `longest_ms`."""
    start_ms, end_ms = booking.start_ms, booking.end_ms
    bounds = (booking.resource_id, start_ms - longest_ms, end_ms, start_ms)
    return [Usage(*row) for row in await session.fetch(_OVERLAPPING, *bounds)]


async def note_length(session: Session, booking: Booking) -> None:
    """Note how long the booking is that now blocks its resource, if it is the longest."""
    length_ms = booking.end_ms - booking.start_ms
    await session.execute(_RAISE_LONGEST, booking.resource_id, length_ms)
