"""Bookings whose timer has run out, each step a function of a session."""

from collections.abc import Sequence

from reservesvc.bookings import postgres_bookings as bookings
from reservesvc.bookings.postgres_rows import NOW_MS
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_of
from reservesvc.domain.booking import Booking

# The clock is asked once, in a subquery: compared with each row, no index could be used.
_DUE = f"""
    SELECT {", ".join(BOOKING_COLUMNS)} FROM bookings
    WHERE due_ms <= (SELECT {NOW_MS}) AND (due_ms, id) > ($1, $2) ORDER BY due_ms, id LIMIT $3
"""  # noqa: S608 - our own names and expression
_RECKON = "UPDATE bookings SET due_ms = $2 WHERE id = $1"


async def due(session: Session, limit: int, after: Booking | None) -> list[Booking]:
    """Return the next bookings with a timer that has run out or was never worked out."""
    place = (after.due_ms, after.id) if after else (-1, "")
    return [booking_of(row) for row in await session.fetch(_DUE, *place, limit)]


async def reckon_due(session: Session, booking_ids: Sequence[str]) -> None:
    """Work out anew when the bookings' timers are due, always in one order of ids."""
    for booking_id in sorted(booking_ids):
        found = await bookings.locked(session, booking_id)
        if found is not None:
            booking, _ = found
            await session.execute(_RECKON, booking.id, booking.due_from(booking.updated_ms))
