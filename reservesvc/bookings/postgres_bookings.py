"""The transactions on bookings, each a function of a session.

Whatever claims or frees a slot first locks its resource's row in `resource_fences`, then
touches bookings, always in this order. So judging and inserting are one step for everybody
else; each statement after the lock sees all that was committed before it (READ COMMITTED).
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from reservesvc.bookings.postgres_errors import BROKEN_RULE, DEPENDENCY
from reservesvc.bookings.postgres_rows import NOW_MS, one
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_of, booking_values
from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    Taken,
)
from reservesvc.domain.slot import Usage, peak
from reservesvc.errors import UnavailableError
from reservesvc.ports import Idempotency, Snapshot, SnapshotBooking

_COLUMNS = ", ".join(BOOKING_COLUMNS)
_SELECT = f"SELECT {_COLUMNS} FROM bookings WHERE "  # noqa: S608 - our own column names
_INSERTED = (*BOOKING_COLUMNS, "blocks", "exclusive", "key_digest", "key_fingerprint")
# A plain INSERT would wait for others at the exclusion constraint while it keeps its own
# entry there, and in a stampede they would wait for each other.
_INSERT = (
    f"INSERT INTO bookings ({', '.join(_INSERTED)}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(_INSERTED) + 1))}) "
    "ON CONFLICT DO NOTHING RETURNING id"
)
_OCCUPANCY = """
    SELECT
        coalesce((SELECT capacity FROM resources WHERE id = $1), 1),
        array_agg(start_ms), array_agg(end_ms), array_agg(quantity)
    FROM bookings
    WHERE blocks AND NOT double
        AND resource_id = $1 AND start_ms > $2 AND start_ms < $3 AND end_ms > $4
"""
_BLOCKING_SINCE = """
    SELECT entry_id, start_ms, end_ms, quantity, id FROM bookings
    WHERE blocks AND resource_id = $1 AND start_ms > $2 AND end_ms > $3
    ORDER BY start_ms, id
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
_RAISE_LONGEST = "UPDATE resource_fences SET longest_ms = $2 WHERE resource_id = $1"
_USED = "SELECT resource_id FROM resource_fences WHERE resource_id > $1 ORDER BY 1 LIMIT $2"
_LOCK_BOOKING = f"{_SELECT}id = $1 FOR UPDATE"
_CHANGE_STATE = f"""
    UPDATE bookings SET state = $2, blocks = $3, updated_ms = coalesce($4, {NOW_MS})
    WHERE id = $1 RETURNING updated_ms
"""  # noqa: S608 - our own expression
_FOR_EVER_MS = 2**53


class _Occupancy(NamedTuple):
    """A resource's capacity, and what uses it around a slot."""

    capacity: int
    usages: list[Usage]


async def snapshot(session: Session, resource_id: str, since_ms: int) -> Snapshot:
    """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
    fence, longest_ms = await session.fetchrow(_RAISE_FENCE, resource_id)
    rows = await session.fetch(_BLOCKING_SINCE, resource_id, since_ms - longest_ms, since_ms)
    return Snapshot(fence=fence, bookings=[_snapshot_booking(resource_id, row) for row in rows])


async def blocking(session: Session, resource_id: str, since_ms: int) -> Snapshot:
    """Return what `snapshot` would, with the fence as it stands."""
    fence, longest_ms = await session.fetchrow(_FENCE, resource_id) or (0, 0)
    rows = await session.fetch(_BLOCKING_SINCE, resource_id, since_ms - longest_ms, since_ms)
    return Snapshot(fence=fence, bookings=[_snapshot_booking(resource_id, row) for row in rows])


async def used_resources(session: Session, after: str, limit: int) -> list[str]:
    """Return the next resources by id that were ever reserved or booked, up to `limit`."""
    return [row[0] for row in await session.fetch(_USED, after, limit)]


async def book(
    session: Session, booking: Booking, fence: int, idempotency: Idempotency | None
) -> Booked | FenceMoved | Taken | KeyReused:
    """Insert the booking under the fence; the order of the answers is the port's.

    Whether it is a repeat is asked last, where there is a reason: the unique columns let no
    repeat in.
    """
    current_fence, longest_ms = await _locked_fence(session, booking.resource_id)
    refusal: FenceMoved | Taken | None = FenceMoved()
    if current_fence == fence:
        occupancy = await _occupancy(session, booking, longest_ms)
        refusal = None if _fits(booking, occupancy) else Taken(by="booked")
        if refusal is None and await _inserted(session, booking, occupancy, idempotency):
            await _raise_longest(session, booking, longest_ms)
            return Booked(booking=booking)
    repeated = await _repeated(session, booking, idempotency)
    return repeated or refusal or await _in_the_way(session, booking)


async def book_again(
    session: Session, booking: Booking, fence: int, idempotency: Idempotency | None
) -> Booked | FenceMoved | Taken | KeyReused:
    """Do what `book` does, where an attempt of this very booking may have been committed.

    With the lock that attempt has ended: its booking stands, and is the answer, or never will.
    """
    answer = await book(session, booking, fence, idempotency)
    if isinstance(answer, Booked) and answer.booking.id == booking.id:
        return Booked(booking=answer.booking)
    return answer


async def change_state(
    session: Session, booking: Booking, state: str, fence: int | None, now_ms: int | None
) -> Changed | FenceMoved | NotOpen | NotFound:
    """Move the booking from the state it was read in to `state`."""
    current_fence = fence
    if fence is not None:
        current_fence, _ = await _locked_fence(session, booking.resource_id)
    row = await one(session, _LOCK_BOOKING, booking.id)
    if row is None:
        return NotFound(model="Booking", id=booking.id)
    current = booking_of(row)
    if current.state != booking.state:
        return NotOpen(booking=current, open_actions=())
    if current_fence != fence:
        return FenceMoved()
    changed = msgspec.structs.replace(current, state=state)
    _check_claims_nothing(current, changed)
    values = (booking.id, state, changed.blocks, now_ms)
    (updated_ms,) = await session.fetchrow(_CHANGE_STATE, *values)
    return Changed(booking=msgspec.structs.replace(changed, updated_ms=updated_ms))


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


async def _locked_fence(session: Session, resource_id: str) -> tuple[int, int]:
    """Lock the resource; return its fence and how long its longest booking was."""
    row = await session.fetchrow(_LOCK_FENCE, resource_id)
    if row is None:
        await session.execute(_MAKE_FENCE, resource_id)
        row = await session.fetchrow(_LOCK_FENCE, resource_id)
    fence, longest_ms = row
    return fence, longest_ms


async def _occupancy(session: Session, booking: Booking, longest_ms: int) -> _Occupancy:
    start_ms, end_ms = booking.start_ms, booking.end_ms
    bounds = (booking.resource_id, start_ms - longest_ms, end_ms, start_ms)
    capacity, *columns = await session.fetchrow(_OCCUPANCY, *bounds)
    # array_agg of nothing is NULL.
    usages = [Usage(*values) for values in zip(*(column or () for column in columns), strict=True)]
    return _Occupancy(capacity, usages)


def _fits(booking: Booking, occupancy: _Occupancy) -> bool:
    """Tell whether the resource has the capacity for the booking, at every instant of it."""
    if booking.double or not booking.blocks:
        return True
    in_use = peak(occupancy.usages, booking.start_ms, booking.end_ms)
    return in_use + booking.quantity <= occupancy.capacity


async def _inserted(
    session: Session, booking: Booking, occupancy: _Occupancy, idempotency: Idempotency | None
) -> bool:
    """Insert the booking; False where a unique column or the constraint does not let it in."""
    key = (idempotency.digest, idempotency.fingerprint) if idempotency else (None, None)
    is_exclusive = occupancy.capacity == 1 and not booking.double
    values = (*booking_values(booking), booking.blocks, is_exclusive, *key)
    return await session.fetchrow(_INSERT, *values) is not None


async def _raise_longest(session: Session, booking: Booking, longest_ms: int) -> None:
    length_ms = booking.end_ms - booking.start_ms
    if booking.blocks and length_ms > longest_ms:
        await session.execute(_RAISE_LONGEST, booking.resource_id, length_ms)


async def _repeated(
    session: Session, booking: Booking, idempotency: Idempotency | None
) -> Booked | KeyReused | None:
    existing = await by_reservation(session, booking.reservation_id)
    if existing is not None:
        return Booked(booking=existing, repeated=True)
    keyed = await by_key(session, idempotency.digest) if idempotency else None
    if idempotency is None or keyed is None:
        return None
    made, fingerprint = keyed
    if fingerprint != idempotency.fingerprint:
        return KeyReused()
    return Booked(booking=made, repeated=True)


async def _in_the_way(session: Session, booking: Booking) -> Taken:
    """Return the answer where the booking fitted, repeats nothing and was not let in.

    Raises:
        UnavailableError: another rule than the capacity forbids it, as an id used twice.

    """
    # Somebody booked past the lock, as by hand; the constraint has held. Nobody noted how long
    # that booking is, so this looks back as far as time goes.
    if not _fits(booking, await _occupancy(session, booking, _FOR_EVER_MS)):
        return Taken(by="booked")
    raise UnavailableError(DEPENDENCY, BROKEN_RULE)


def _check_claims_nothing(current: Booking, changed: Booking) -> None:
    # No capacity is counted here, so a booking that left its slot to others cannot have it
    # back. No graph asks for that; this is for the one that will.
    if changed.blocks and not current.blocks:
        message = f"{current.graph}: {current.state} to {changed.state} would claim a slot"
        raise ValueError(message)


def _snapshot_booking(resource_id: str, row: Iterable[Any]) -> SnapshotBooking:
    entry_id, start_ms, end_ms, quantity, booking_id = row
    entry = Entry(
        resource_id=resource_id, id=entry_id, start_ms=start_ms, end_ms=end_ms, quantity=quantity
    )
    return SnapshotBooking(entry=entry, booking_id=booking_id)
