"""What happens to a booking beside its life along the graph: new meta, its end as a record."""

import sqlite3
from typing import Any

from reservesvc.bookings import sqlite_slots as slots
from reservesvc.bookings.rows import CHANGED, to_json
from reservesvc.bookings.sqlite_bookings import by_id
from reservesvc.bookings.sqlite_clock import NOW_MS
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Changed, Deleted, FenceMoved, NotFound, NotOpen

_SET_META = f"UPDATE bookings SET meta = ?, updated_ms = {NOW_MS} WHERE id = ?"  # noqa: S608 - ours
_DELETE = "DELETE FROM bookings WHERE id = ?"
_FORGET_KEYS = "DELETE FROM idempotency_keys WHERE kind = ? AND id = ?"


def set_meta(
    connection: sqlite3.Connection, booking_id: str, meta: dict[str, Any]
) -> Changed | NotFound:
    """Replace what the booking has as meta."""
    connection.execute(_SET_META, (to_json(meta), booking_id))
    booking = by_id(connection, booking_id)
    return Changed(booking=booking) if booking else NotFound(model="Booking", id=booking_id)


def delete(
    connection: sqlite3.Connection, booking: Booking, fence: int | None
) -> Deleted | FenceMoved | NotFound | NotOpen:
    """Delete the booking as it was read."""
    current = by_id(connection, booking.id)
    if current is None:
        return NotFound(model="Booking", id=booking.id)
    if not current.is_as(booking):
        return NotOpen(booking=current, open_actions=())
    if fence is not None and slots.fence(connection, booking.resource_id)[0] != fence:
        return FenceMoved()
    slots.raise_fence(connection, booking.reserved_on)
    connection.execute(_FORGET_KEYS, (CHANGED, booking.id))
    connection.execute(_DELETE, (booking.id,))
    return Deleted()
