"""Rescheduling a booking, as one transaction: it is in its old slot or in its new one."""

from reservesvc.bookings import postgres_settings as settings
from reservesvc.bookings import postgres_slots as slots
from reservesvc.bookings.postgres_bookings import locked, locked_seated
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import CHANGED
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
    UPDATE bookings SET resource_id = $2, start_ms = $3, end_ms = $4, entry_id = $5,
        updated_ms = $6, due_ms = $7, exclusive = $8
    WHERE id = $1
"""


async def reschedule(
    session: Session,
    booking: Booking,
    after: Booking,
    fences: Fences,
    idempotency: Idempotency | None,
) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
    """Put the booking into its new slot; the order of the answers is the port's."""
    found = await slots.locked_fences(session, booking.resource_id, after.resource_id)
    made = await settings.made_by(session, idempotency, CHANGED)
    row = await locked(session, booking.id)
    if row is None:
        return NotFound(model="Booking", id=booking.id)
    current, _ = row
    early = answer(current, booking, after, made)
    if early is not None:
        return early
    left, taken = found[booking.resource_id], found[after.resource_id]
    if not fences.hold(left[0], taken[0]):
        return FenceMoved()
    capacity = await slots.capacity(session, after.resource_id)
    if not fits(current, after, await slots.counted(session, after, taken[1]), capacity):
        return Taken(by="booked")
    await _put(session, placed(current, after), is_exclusive=capacity == 1 and not current.double)
    await settings.keep_key(session, idempotency, CHANGED, booking.id)
    return Rescheduled(booking=placed(current, after))


async def _put(session: Session, after: Booking, *, is_exclusive: bool) -> None:
    customers = await locked_seated(session, after)
    for moved in (after, *(along(each, after) for each in customers)):
        slot = (moved.resource_id, moved.start_ms, moved.end_ms)
        values = (moved.id, *slot, moved.entry_id, moved.updated_ms, moved.due_ms)
        await session.execute(_UPDATE, *values, is_exclusive and moved.blocks)
    await slots.note_length(session, after)
