"""The slots of resources: fences, capacities, what blocks; each a function of a connection."""

import sqlite3
from collections.abc import Sequence

from reservesvc.bookings.rows import entries_of, snapshot_of, to_json
from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.domain.slot import Usage
from reservesvc.ports import Snapshot

_BLOCKING_SINCE = """
    SELECT entry_id, start_ms, end_ms, quantity, id FROM bookings
    WHERE blocks AND resource_id = ? AND start_ms > ? AND end_ms > ?
    ORDER BY start_ms, id
"""
# One parameter for all resources, for SQLite takes a limited number of them. CROSS JOIN is how
# it is told to go through the resources and look each one up, not the other way round.
_BLOCKING_BETWEEN = """
    SELECT bookings.resource_id, entry_id, start_ms, end_ms, quantity
    FROM json_each(?) AS asked
    LEFT JOIN resource_fences ON resource_fences.resource_id = asked.value
    CROSS JOIN bookings
    WHERE blocks AND bookings.resource_id = asked.value
        AND start_ms > ? - coalesce(longest_ms, 0) AND start_ms < ? AND end_ms > ?
"""
_OVERLAPPING = """
    SELECT start_ms, end_ms, quantity FROM bookings
    WHERE blocks AND NOT double AND resource_id = ? AND start_ms > ? AND start_ms < ? AND end_ms > ?
"""
_FENCE = "SELECT fence, longest_ms FROM resource_fences WHERE resource_id = ?"
_RAISE_FENCE = """
    INSERT INTO resource_fences (resource_id, fence, longest_ms) VALUES (?, 1, 0)
    ON CONFLICT (resource_id) DO UPDATE SET fence = fence + 1
"""
_RAISE_LONGEST = """
    INSERT INTO resource_fences (resource_id, fence, longest_ms) VALUES (?, 0, ?)
    ON CONFLICT (resource_id) DO UPDATE SET longest_ms = max(longest_ms, excluded.longest_ms)
"""
_USED = "SELECT resource_id FROM resource_fences WHERE resource_id > ? ORDER BY 1 LIMIT ?"
_CAPACITY = """
    SELECT CASE WHEN json_valid(document) THEN json_extract(document, '$.capacity') END
    FROM resources WHERE id = ?
"""
_UNREGISTERED_CAPACITY = 1


def snapshot(connection: sqlite3.Connection, resource_id: str, since_ms: int) -> Snapshot:
    """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
    raise_fence(connection, resource_id)
    return blocking(connection, resource_id, since_ms)


def blocking(connection: sqlite3.Connection, resource_id: str, since_ms: int) -> Snapshot:
    """Return what `snapshot` would, with the fence as it stands."""
    current_fence, longest_ms = fence(connection, resource_id)
    rows = connection.execute(_BLOCKING_SINCE, (resource_id, since_ms - longest_ms, since_ms))
    return snapshot_of(resource_id, current_fence, rows)


def used_resources(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Return the next resources by id that were ever reserved or booked, up to `limit`."""
    return [resource_id for (resource_id,) in connection.execute(_USED, (after, limit))]


def blocking_between(
    connection: sqlite3.Connection, resource_ids: Sequence[str], start_ms: int, end_ms: int
) -> dict[str, list[Entry]]:
    """Return the bookings that block the resources and overlap the time, by resource."""
    values = (to_json(resource_ids), start_ms, end_ms, start_ms)
    return entries_of(connection.execute(_BLOCKING_BETWEEN, values))


def raise_fence(connection: sqlite3.Connection, resource_id: str) -> None:
    """Let every change that was prepared before begin again."""
    connection.execute(_RAISE_FENCE, (resource_id,))


def fence(connection: sqlite3.Connection, resource_id: str) -> tuple[int, int]:
    """Return the resource's fence and how long the longest booking that blocked it was."""
    row = connection.execute(_FENCE, (resource_id,)).fetchone()
    return row or (0, 0)


def capacity(connection: sqlite3.Connection, resource_id: str) -> int:
    """Return how many units of the resource can be in use at once."""
    row = connection.execute(_CAPACITY, (resource_id,)).fetchone()
    return row[0] if row and isinstance(row[0], int) else _UNREGISTERED_CAPACITY


def counted(connection: sqlite3.Connection, booking: Booking, longest_ms: int) -> list[Usage]:
    """Return what counts in the booking's slot, where no booking is longer than `longest_ms`."""
    start_ms, end_ms = booking.start_ms, booking.end_ms
    bounds = (booking.resource_id, start_ms - longest_ms, end_ms, start_ms)
    return [Usage(*row) for row in connection.execute(_OVERLAPPING, bounds)]


def note_length(connection: sqlite3.Connection, booking: Booking) -> None:
    """Note how long the booking is that now blocks its resource, if it is the longest."""
    length_ms = booking.end_ms - booking.start_ms
    connection.execute(_RAISE_LONGEST, (booking.resource_id, length_ms))
