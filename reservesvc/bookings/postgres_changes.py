"""What happens to a booking beside its life along the graph: new meta, its end as a record."""

from typing import Any

from reservesvc.bookings.postgres_bookings import by_id, locked
from reservesvc.bookings.postgres_rows import NOW_MS
from reservesvc.bookings.postgres_slots import locked_fences, raise_fence
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import CHANGED, to_json
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Changed, Deleted, FenceMoved, NotFound, NotOpen

_SET_META = f"UPDATE bookings SET meta = $2, updated_ms = {NOW_MS} WHERE id = $1"  # noqa: S608 - ours
_DELETE = "DELETE FROM bookings WHERE id = $1"
_FORGET_KEYS = "DELETE FROM idempotency_keys WHERE kind = $1 AND id = $2"


async def set_meta(session: Session, booking_id: str, meta: dict[str, Any]) -> Changed | NotFound:
    """Replace what the booking has as meta."""
    await session.execute(_SET_META, booking_id, to_json(meta))
    booking = await by_id(session, booking_id)
    return Changed(booking=booking) if booking else NotFound(model="Booking", id=booking_id)


async def delete(
    session: Session, booking: Booking, fence: int | None
) -> Deleted | FenceMoved | NotFound | NotOpen:
    """Delete the booking as it was read."""
    fences = await locked_fences(session, booking.resource_id, booking.reserved_on)
    found = await locked(session, booking.id)
    if found is None:
        return NotFound(model="Booking", id=booking.id)
    current, _ = found
    if not current.is_as(booking):
        return NotOpen(booking=current, open_actions=())
    if fence is not None and fences[booking.resource_id][0] != fence:
        return FenceMoved()
    await raise_fence(session, booking.reserved_on)
    await session.execute(_FORGET_KEYS, CHANGED, booking.id)
    await session.execute(_DELETE, booking.id)
    return Deleted()
