"""The transactions on bookings, each a function of a connection."""

import sqlite3

from msgspec.structs import replace

from reservesvc.bookings import sqlite_settings as settings
from reservesvc.bookings import sqlite_slots as slots
from reservesvc.bookings.rows import (
    BOOKING_COLUMNS,
    CHANGED,
    booking_of,
    booking_values,
    to_json,
)
from reservesvc.bookings.sqlite_clock import clock
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
from reservesvc.domain.slot import peak
from reservesvc.ports import Idempotency

_COLUMNS = ", ".join(BOOKING_COLUMNS)
_SELECT = f"SELECT {_COLUMNS} FROM bookings WHERE "  # noqa: S608 - our own column names
_INSERTED = (*BOOKING_COLUMNS, "blocks", "seated", "key_digest", "key_fingerprint")
_INSERT = (
    f"INSERT INTO bookings ({', '.join(_INSERTED)}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join('?' * len(_INSERTED))})"
)
_CHANGE_STATE = """
    UPDATE bookings SET state = ?, blocks = ?, seated = ?, inputs = ?, due_ms = ?, updated_ms = ?
    WHERE id = ?
"""
_CHANGED_BY_KEY = "SELECT id, fingerprint FROM idempotency_keys WHERE digest = ? AND kind = ?"
_SEATED = f"{_SELECT}owner_booking_id = ? AND seated ORDER BY id"


def book(
    connection: sqlite3.Connection,
    booking: Booking,
    fence: int,
    idempotency: Idempotency | None,
) -> Booked | FenceMoved | Taken | KeyReused:
    """Insert the booking under the fence; the order of the questions is the port's."""
    answer = repeated(connection, booking, idempotency)
    if answer is not None:
        return answer
    current_fence, longest_ms = slots.fence(connection, booking.resource_id)
    if current_fence != fence:
        return FenceMoved()
    if booking.blocks and not _claims(connection, booking, longest_ms):
        return Taken(by="booked")
    timed = replace(booking, due_ms=booking.due_from(clock(connection)))
    insert(connection, timed, idempotency)
    return Booked(booking=timed)


def change_state(
    connection: sqlite3.Connection,
    booking: Booking,
    state: str,
    fence: int | None,
    now_ms: int | None,
    asked: Asked,
    idempotency: Idempotency | None,
) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
    """Move the booking from the state it was read in to `state`, and its customers on."""
    current = by_id(connection, booking.id)
    if current is None:
        return NotFound(model="Booking", id=booking.id)
    made = settings.made_by(connection, idempotency, CHANGED)
    if made is not None:
        return made if isinstance(made, KeyReused) else Changed(booking=current, repeated=True)
    clock_ms = clock(connection)
    refusal = untimely(current, booking, state, clock_ms, asked)
    if refusal is not None:
        return refusal
    current_fence, longest_ms = slots.fence(connection, current.resource_id)
    if fence is not None and current_fence != fence:
        return FenceMoved()
    changed = moved(current, state, clock_ms, now_ms, asked.inputs)
    if changed.blocks and not current.blocks:
        if fence is None:
            raise ValueError(UNFENCED)
        if not _claims(connection, changed, longest_ms):
            return Taken(by="booked")
    _keep_state(connection, changed)
    for customer, after in following(changed, seated(connection, changed)):
        _keep_state(connection, moved(customer, after, clock_ms, now_ms, None))
    settings.keep_key(connection, idempotency, CHANGED, booking.id)
    return Changed(booking=changed)


def insert(
    connection: sqlite3.Connection, booking: Booking, idempotency: Idempotency | None
) -> None:
    """Insert the booking with its key."""
    key = (idempotency.digest, idempotency.fingerprint) if idempotency else (None, None)
    values = (*booking_values(booking), booking.blocks, booking.seated, *key)
    connection.execute(_INSERT, values)


def seated(connection: sqlite3.Connection, owner: Booking) -> list[Booking]:
    """Return the bookings that have seats of the group."""
    if not owner.life.is_group:
        return []
    return [booking_of(row) for row in connection.execute(_SEATED, (owner.id,))]


def by_id(connection: sqlite3.Connection, booking_id: str) -> Booking | None:
    """Return the booking."""
    row = connection.execute(_SELECT + "id = ?", (booking_id,)).fetchone()
    return row and booking_of(row)


def by_reservation(connection: sqlite3.Connection, reservation_id: str) -> Booking | None:
    """Return the booking that the reservation became."""
    row = connection.execute(_SELECT + "reservation_id = ?", (reservation_id,)).fetchone()
    return row and booking_of(row)


def by_key(connection: sqlite3.Connection, digest: str) -> tuple[Booking, str] | None:
    """Return the booking an Idempotency-Key made, and the fingerprint it came with."""
    sql = f"SELECT {_COLUMNS}, key_fingerprint FROM bookings WHERE key_digest = ?"  # noqa: S608
    row = connection.execute(sql, (digest,)).fetchone()
    return row and (booking_of(row[:-1]), row[-1])


def changed_by_key(connection: sqlite3.Connection, digest: str) -> tuple[Booking, str] | None:
    """Return the booking that an Idempotency-Key changed, and the fingerprint it came with."""
    row = connection.execute(_CHANGED_BY_KEY, (digest, CHANGED)).fetchone()
    booking = by_id(connection, row[0]) if row else None
    return None if booking is None else (booking, row[1])


def repeated(
    connection: sqlite3.Connection, booking: Booking, idempotency: Idempotency | None
) -> Booked | KeyReused | None:
    """Return the answer where the reservation or the key became a booking before."""
    existing = by_reservation(connection, booking.reservation_id)
    if existing is not None:
        return Booked(booking=existing, repeated=True)
    keyed = by_key(connection, idempotency.digest) if idempotency else None
    if idempotency is None or keyed is None:
        return None
    made = idempotency.judge(keyed)
    return made if isinstance(made, KeyReused) else Booked(booking=made, repeated=True)


def _claims(connection: sqlite3.Connection, booking: Booking, longest_ms: int) -> bool:
    """Take the slot for the booking if it fits; return whether it does."""
    if not booking.double and not _fits(connection, booking, longest_ms):
        return False
    slots.note_length(connection, booking)
    return True


def _keep_state(connection: sqlite3.Connection, changed: Booking) -> None:
    inputs = to_json(changed.inputs)
    held = (changed.state, changed.blocks, changed.seated, inputs)
    connection.execute(_CHANGE_STATE, (*held, changed.due_ms, changed.updated_ms, changed.id))


def _fits(connection: sqlite3.Connection, booking: Booking, longest_ms: int) -> bool:
    """Tell whether the resource has the capacity for the booking, at every instant of it."""
    usages = slots.counted(connection, booking, longest_ms)
    capacity = slots.capacity(connection, booking.resource_id)
    return peak(usages, booking.start_ms, booking.end_ms) + booking.quantity <= capacity
