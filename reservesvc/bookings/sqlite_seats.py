"""Seats of a group, taken one after the other: SQLite has one writer at a time."""

import sqlite3

from reservesvc.bookings import sqlite_bookings as bookings
from reservesvc.bookings.sqlite_clock import clock
from reservesvc.domain.booking import Booking
from reservesvc.domain.moves import no_seat, seated_with
from reservesvc.domain.outcomes import Booked, KeyReused, NoSeat, NotFound
from reservesvc.ports import Idempotency

_TAKEN = """
    SELECT coalesce(sum(quantity), 0) FROM bookings WHERE owner_booking_id = ? AND seated
"""


def take_seat(
    connection: sqlite3.Connection, booking: Booking, idempotency: Idempotency | None
) -> Booked | KeyReused | NoSeat | NotFound:
    """Insert the booking of a group's customer; the order of the questions is the port's."""
    answer = bookings.repeated(connection, booking, idempotency)
    if answer is not None:
        return answer
    owner_id = booking.owner_booking_id or ""
    owner = bookings.by_id(connection, owner_id)
    if owner is None:
        return NotFound(model="Booking", id=owner_id)
    clock_ms = clock(connection)
    (taken,) = connection.execute(_TAKEN, (owner.id,)).fetchone()
    refusal = no_seat(owner, booking.quantity, taken, clock_ms)
    if refusal is not None:
        return refusal
    seated = seated_with(booking, owner, clock_ms)
    bookings.insert(connection, seated, idempotency)
    return Booked(booking=seated)
