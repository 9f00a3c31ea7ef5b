"""Rescheduling a booking, as one transaction: it is in its old slot or in its new one."""

import sqlite3

from reservesvc.bookings import sqlite_settings as settings
from reservesvc.bookings import sqlite_slots as slots
from reservesvc.bookings.rows import CHANGED
from reservesvc.bookings.sqlite_bookings import by_id, seated
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    Rescheduled,
    Taken,
)
from reservesvc.domain.rescheduling import Fences, along, answer, fits, placed
from reservesvc.ports import Idempotency

_UPDATE = """
    UPDATE bookings SET resource_id = ?, start_ms = ?, end_ms = ?, entry_id = ?, updated_ms = ?,
        due_ms = ?
    WHERE id = ?
"""


def reschedule(
    connection: sqlite3.Connection,
    booking: Booking,
    after: Booking,
    fences: Fences,
    idempotency: Idempotency | None,
) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
    """Put the booking into its new slot; the order of the questions is the port's."""
    made = settings.made_by(connection, idempotency, CHANGED)
    current = by_id(connection, booking.id)
    if current is None:
        return NotFound(model="Booking", id=booking.id)
    early = answer(current, booking, after, made)
    if early is not None:
        return early
    left, _ = slots.fence(connection, booking.resource_id)
    taken, longest_ms = slots.fence(connection, after.resource_id)
    if not fences.hold(left, taken):
        return FenceMoved()
    capacity = slots.capacity(connection, after.resource_id)
    if not fits(current, after, slots.counted(connection, after, longest_ms), capacity):
        return Taken(by="booked")
    return _put(connection, placed(current, after), idempotency)


def _put(
    connection: sqlite3.Connection, after: Booking, idempotency: Idempotency | None
) -> Rescheduled:
    for moved in (after, *(along(each, after) for each in seated(connection, after))):
        slot = (moved.resource_id, moved.start_ms, moved.end_ms)
        values = (*slot, moved.entry_id, moved.updated_ms, moved.due_ms)
        connection.execute(_UPDATE, (*values, moved.id))
    slots.note_length(connection, after)
    settings.keep_key(connection, idempotency, CHANGED, after.id)
    return Rescheduled(booking=after)
