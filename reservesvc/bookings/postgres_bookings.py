"""The transactions on bookings, each a function of a session.

Whatever claims or frees a slot first locks its resource's row in `resource_fences`, then
touches bookings, always in this order. So judging and inserting are one step for everybody
else; each statement after the lock sees all that was committed before it (READ COMMITTED).

Booking is one statement, the function `book` in the database; `fits`, beside it, counts for
whatever else claims a slot (`schema/postgres/`).
"""

from msgspec.structs import replace

from reservesvc.bookings import postgres_settings as settings
from reservesvc.bookings import postgres_slots as slots
from reservesvc.bookings.postgres_errors import BROKEN_RULE, DEPENDENCY
from reservesvc.bookings.postgres_rows import NOW_MS, one
from reservesvc.bookings.postgres_transaction import CollidedError, Session
from reservesvc.bookings.rows import (
    BOOKING_COLUMNS,
    CHANGED,
    booking_of,
    booking_values,
    to_json,
)
from reservesvc.domain.booking import Booking
from reservesvc.domain.moves import UNFENCED, Asked, following, moved, untimely
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    Overdue,
    Taken,
)
from reservesvc.errors import UnavailableError
from reservesvc.ports import Idempotency

_COLUMNS = ", ".join(BOOKING_COLUMNS)
_SELECT = f"SELECT {_COLUMNS} FROM bookings WHERE "  # noqa: S608 - our own column names
_TAKES = (
    *(*BOOKING_COLUMNS, "blocks", "key_digest", "key_fingerprint"),
    *("fence", "is_again", "due_after_ms"),
)
_VALUES = ", ".join(f"{name} => ${number}" for number, name in enumerate(_TAKES, 1))
_BOOK = f"SELECT book({_VALUES}, is_together => false)"
_REFUSED: dict[str, FenceMoved | KeyReused | Taken] = {
    "fence_moved": FenceMoved(),
    "key_reused": KeyReused(),
    "taken": Taken(by="booked"),
}
_CHANGED_BY_KEY = "SELECT id, fingerprint FROM idempotency_keys WHERE digest = $1 AND kind = $2"
_LOCK_BOOKING = f"SELECT {_COLUMNS}, {NOW_MS} FROM bookings WHERE id = $1 FOR UPDATE"  # noqa: S608
_LOCK_SEATED = f"{_SELECT}owner_booking_id = $1 AND seated ORDER BY id FOR UPDATE"
_CHANGE_STATE = """
    UPDATE bookings
    SET state = $2, blocks = $3, seated = $4, inputs = $5, due_ms = $6, updated_ms = $7
    WHERE id = $1
"""
_FITS = "SELECT fits($1, $2, $3, $4, $5, $6)"
_CLAIM_ALONE = "UPDATE bookings SET exclusive = $2 WHERE id = $1"


async def book(
    session: Session,
    booking: Booking,
    fence: int,
    idempotency: Idempotency | None,
    *,
    is_again: bool = False,
) -> Booked | FenceMoved | Taken | KeyReused:
    """Insert the booking under the fence; the order of the answers is the port's.

    A single statement; only a repeat takes one more, to read what it repeats.

    Args:
        session: where.
        booking: what to insert.
        fence: what the resource's fence must be.
        idempotency: the key it is booked with.
        is_again: an attempt of this very booking got no answer. With the lock that attempt has
            ended, or will find the booking or a moved fence: it cannot change the answer.

    Raises:
        UnavailableError: another rule than the capacity forbids it, as an id used twice.

    """
    key = (idempotency.digest, idempotency.fingerprint) if idempotency else (None, None)
    timed = without_wait(booking)
    values = (*booking_values(timed), booking.blocks, *key, fence, is_again, booking.waits_ms)
    (answer,) = await session.fetchrow(_BOOK, *values)
    word, _, due_ms = answer.partition(" ")
    if word == "booked":
        return booked(timed, due_ms)
    if word == "repeated":
        existing = await repeated(session, booking, idempotency)
        return Booked(booking=existing, repeated=not (is_again and existing.id == booking.id))
    if word in _REFUSED:
        return _REFUSED[word]
    raise UnavailableError(DEPENDENCY, BROKEN_RULE)


def without_wait(booking: Booking) -> Booking:
    """Return the booking with its timer, if that is not counted from when it is inserted."""
    return replace(booking, due_ms=booking.due_from(0) if booking.waits_ms is None else None)


def booked(timed: Booking, due_ms: str) -> Booked:
    """Return the outcome of a booking that is inserted, with its timer as the database says."""
    return Booked(booking=replace(timed, due_ms=int(due_ms)) if due_ms else timed)


async def change_state(
    session: Session,
    booking: Booking,
    state: str,
    fence: int | None,
    now_ms: int | None,
    asked: Asked,
    idempotency: Idempotency | None,
) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
    """Move the booking from the state it was read in to `state`, and its customers on."""
    current_fence, longest_ms = fence, 0
    if fence is not None:
        current_fence, longest_ms = await slots.locked_fence(session, booking.resource_id)
    found = await locked(session, booking.id)
    if found is None:
        return NotFound(model="Booking", id=booking.id)
    current, clock_ms = found
    # After the lock: a request with the same key that had it before has committed by now.
    made = await settings.made_by(session, idempotency, CHANGED)
    if made is not None:
        return made if isinstance(made, KeyReused) else Changed(booking=current, repeated=True)
    refusal = untimely(current, booking, state, clock_ms, asked)
    if refusal is not None:
        return refusal
    if current_fence != fence:
        return FenceMoved()
    changed = moved(current, state, clock_ms, now_ms, asked.inputs)
    if changed.blocks and not current.blocks:
        if fence is None:
            raise ValueError(UNFENCED)
        if not await _claims(session, changed, longest_ms):
            return Taken(by="booked")
    await _keep_state(session, changed)
    for customer, after in following(changed, await locked_seated(session, changed)):
        await _keep_state(session, moved(customer, after, clock_ms, now_ms, None))
    await settings.keep_key(session, idempotency, CHANGED, booking.id)
    return Changed(booking=changed)


async def locked(session: Session, booking_id: str) -> tuple[Booking, int] | None:
    """Lock the booking; return it and the database's clock."""
    row = await one(session, _LOCK_BOOKING, booking_id)
    if row is None:
        return None
    *columns, clock_ms = row
    return booking_of(columns), clock_ms


async def locked_seated(session: Session, owner: Booking) -> list[Booking]:
    """Lock the bookings that have seats of the group, always after the group itself."""
    if not owner.life.is_group:
        return []
    return [booking_of(row) for row in await session.fetch(_LOCK_SEATED, owner.id)]


async def by_id(session: Session, booking_id: str) -> Booking | None:
    """Return the booking."""
    row = await one(session, _SELECT + "id = $1", booking_id)
    return None if row is None else booking_of(row)


async def by_reservation(session: Session, reservation_id: str) -> Booking | None:
    """Return the booking that the reservation became."""
    row = await one(session, _SELECT + "reservation_id = $1", reservation_id)
    return None if row is None else booking_of(row)


async def by_key(session: Session, digest: str) -> tuple[Booking, str] | None:
    """Return the booking an Idempotency-Key made, and the fingerprint it came with."""
    sql = f"SELECT {_COLUMNS}, key_fingerprint FROM bookings WHERE key_digest = $1"  # noqa: S608
    row = await one(session, sql, digest)
    if row is None:
        return None
    *columns, fingerprint = row
    return booking_of(columns), fingerprint


async def changed_by_key(session: Session, digest: str) -> tuple[Booking, str] | None:
    """Return the booking that an Idempotency-Key changed, and the fingerprint it came with."""
    row = await one(session, _CHANGED_BY_KEY, digest, CHANGED)
    booking = await by_id(session, row[0]) if row else None
    return None if booking is None else (booking, row[1])


async def repeated(session: Session, booking: Booking, idempotency: Idempotency | None) -> Booking:
    """Return the booking that the database says is there already."""
    existing = await by_reservation(session, booking.reservation_id)
    if existing is None and idempotency is not None:
        keyed = await by_key(session, idempotency.digest)
        existing = keyed[0] if keyed else None
    if existing is None:
        # Its key was forgotten in between: nothing was booked, and trying again will.
        raise CollidedError(DEPENDENCY, "the Idempotency-Key was just forgotten")
    return existing


async def _claims(session: Session, booking: Booking, longest_ms: int) -> bool:
    """Take the slot for a booking that has none so far, if it fits; return whether it does."""
    resource_id, start_ms, end_ms = booking.resource_id, booking.start_ms, booking.end_ms
    capacity = await slots.capacity(session, resource_id)
    wanted = (resource_id, start_ms, end_ms, booking.quantity, capacity, longest_ms)
    if not booking.double and not (await session.fetchrow(_FITS, *wanted))[0]:
        return False
    is_exclusive = capacity == 1 and not booking.double
    await session.execute(_CLAIM_ALONE, booking.id, is_exclusive)
    await slots.note_length(session, booking)
    return True


async def _keep_state(session: Session, changed: Booking) -> None:
    inputs = to_json(changed.inputs)
    held = (changed.id, changed.state, changed.blocks, changed.seated, inputs)
    await session.execute(_CHANGE_STATE, *held, changed.due_ms, changed.updated_ms)
