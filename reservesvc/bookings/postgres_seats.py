"""Seats of a group: whoever takes one locks the owner's booking first."""

from reservesvc.bookings import postgres_bookings as bookings
from reservesvc.bookings.postgres_errors import BROKEN_RULE, DEPENDENCY
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_values
from reservesvc.domain.booking import Booking
from reservesvc.domain.moves import no_seat, seated_with
from reservesvc.domain.outcomes import Booked, KeyReused, NoSeat, NotFound
from reservesvc.errors import UnavailableError
from reservesvc.ports import Idempotency

_INSERTED = (*BOOKING_COLUMNS, "blocks", "seated", "exclusive", "key_digest", "key_fingerprint")
_INSERT = (
    f"INSERT INTO bookings ({', '.join(_INSERTED)}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(_INSERTED) + 1))}) "
    "ON CONFLICT DO NOTHING RETURNING id"
)
_TAKEN = """
    SELECT coalesce(sum(quantity), 0)::bigint FROM bookings
    WHERE owner_booking_id = $1 AND seated
"""


async def take_seat(
    session: Session, booking: Booking, idempotency: Idempotency | None
) -> Booked | KeyReused | NoSeat | NotFound:
    """Insert the booking of a group's customer; the order of the questions is the port's."""
    owner_id = booking.owner_booking_id or ""
    # The lock comes first: a repeat that waited for it sees what the first one committed.
    found = await bookings.locked(session, owner_id)
    answer = await _repeated(session, booking, idempotency)
    if answer is not None:
        return answer
    if found is None:
        return NotFound(model="Booking", id=owner_id)
    owner, clock_ms = found
    (taken,) = await session.fetchrow(_TAKEN, owner_id)
    refusal = no_seat(owner, booking.quantity, taken, clock_ms)
    if refusal is not None:
        return refusal
    seated = seated_with(booking, owner, clock_ms)
    if await _inserted(session, seated, idempotency):
        return Booked(booking=seated)
    # The key was used meanwhile, for a seat of another group or for a slot.
    answer = await _repeated(session, booking, idempotency)
    if answer is None:
        raise UnavailableError(DEPENDENCY, BROKEN_RULE)
    return answer


async def _repeated(
    session: Session, booking: Booking, idempotency: Idempotency | None
) -> Booked | KeyReused | None:
    """Return the answer where the reservation or the key became a booking before."""
    existing = await bookings.by_reservation(session, booking.reservation_id)
    if existing is not None:
        return Booked(booking=existing, repeated=True)
    keyed = await bookings.by_key(session, idempotency.digest) if idempotency else None
    if idempotency is None or keyed is None:
        return None
    made = idempotency.judge(keyed)
    return made if isinstance(made, KeyReused) else Booked(booking=made, repeated=True)


async def _inserted(session: Session, booking: Booking, idempotency: Idempotency | None) -> bool:
    """Insert the booking; False where a unique column does not let it in."""
    key = (idempotency.digest, idempotency.fingerprint) if idempotency else (None, None)
    is_exclusive = False
    values = (*booking_values(booking), booking.blocks, booking.seated, is_exclusive, *key)
    return await session.fetchrow(_INSERT, *values) is not None
