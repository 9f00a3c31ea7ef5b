"""The booking store in memory: each transaction of bookings/ said again.

`test_memory_bookings.py` drives it and the real store through the same random calls. Only what
the flow asks of bookings is here; capacities are given.
"""

from collections.abc import Callable

from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.moves import BY_CALLER, Asked, moved, untimely
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Deleted,
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    Overdue,
    Rescheduled,
    Taken,
)
from reservesvc.domain.rescheduling import Fences, answer, placed
from reservesvc.domain.slot import peak
from reservesvc.ports import Idempotency, Snapshot, SnapshotBooking


class MemoryBookings:
    """Bookings and fences, and what each transaction does to them, at once and whole.

    Args:
        clock: the database's own, in milliseconds.
        capacities: of the registered resources.

    """

    def __init__(self, clock: Callable[[], int], capacities: dict[str, int]) -> None:
        self.rows: dict[str, Booking] = {}
        """bookings by id"""
        self._clock = clock
        self._capacities = capacities
        self._blocking: dict[str, dict[str, Booking]] = {}
        self._by_reservation: dict[str, str] = {}
        self._by_key: dict[str, tuple[str, str]] = {}
        self._changed: dict[str, tuple[str, str]] = {}
        self._fences: dict[str, int] = {}

    def snapshot(self, resource_id: str, since_ms: int) -> Snapshot:
        """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
        self.raise_fence(resource_id)
        return self.blocking(resource_id, since_ms)

    def blocking(self, resource_id: str, since_ms: int) -> Snapshot:
        """Return what `snapshot` would, with the fence as it stands."""
        found = [b for b in self._that_block(resource_id) if b.end_ms > since_ms]
        found.sort(key=lambda booking: (booking.start_ms, booking.id))
        bookings = [SnapshotBooking(entry=b.entry, booking_id=b.id) for b in found]
        return Snapshot(fence=self.fence(resource_id), bookings=bookings)

    def book(
        self, booking: Booking, fence: int, idempotency: Idempotency | None
    ) -> Booked | FenceMoved | Taken | KeyReused:
        """Insert the booking under the fence; the order of the questions is the port's."""
        repeated = self.repeated(booking, idempotency)
        if repeated is not None:
            return repeated
        if self.fence(booking.resource_id) != fence:
            return FenceMoved()
        if booking.blocks and not booking.double and not self.fits(booking):
            return Taken(by="booked")
        timed = replace(booking, due_ms=booking.due_from(self._clock()))
        self.insert(timed, idempotency)
        return Booked(booking=timed)

    def repeated(
        self, booking: Booking, idempotency: Idempotency | None
    ) -> Booked | KeyReused | None:
        """Return the answer where the reservation or the key became a booking before."""
        existing = self.booking_by_reservation(booking.reservation_id)
        if existing:
            return Booked(booking=existing, repeated=True)
        keyed = self.booking_by_key(idempotency.digest) if idempotency else None
        if keyed is None or idempotency is None:
            return None
        made = idempotency.judge(keyed)
        return made if isinstance(made, KeyReused) else Booked(booking=made, repeated=True)

    def raise_fence(self, resource_id: str) -> None:
        """Let every change that was prepared before begin again."""
        self._fences[resource_id] = self.fence(resource_id) + 1

    def fence(self, resource_id: str) -> int:
        """Return the resource's fence."""
        return self._fences.get(resource_id, 0)

    def fits(self, booking: Booking) -> bool:
        """Tell whether the resource has the capacity for the booking."""
        others = self._that_block(booking.resource_id)
        usages = [other.usage for other in others if not other.double and other.id != booking.id]
        in_use = peak(usages, booking.start_ms, booking.end_ms)
        return in_use + booking.quantity <= self._capacities.get(booking.resource_id, 1)

    def can_claim(self, booking: Booking) -> bool:
        """Tell whether a booking that has no slot so far may take its own."""
        return booking.double or self.fits(booking)

    def insert(self, booking: Booking, idempotency: Idempotency | None) -> None:
        """Keep the booking."""
        self._keep(booking)
        self._by_reservation[booking.reservation_id] = booking.id
        if idempotency:
            self._by_key[idempotency.digest] = (booking.id, idempotency.fingerprint)

    def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
        """Move the booking from the state it was read in to `state`."""
        current = self.rows.get(booking.id)
        if current is None:
            return NotFound(model="Booking", id=booking.id)
        made = self._made(idempotency)
        if made is not None:
            return made if isinstance(made, KeyReused) else Changed(booking=current, repeated=True)
        clock_ms = self._clock()
        refusal = untimely(current, booking, state, clock_ms, asked)
        if refusal is not None:
            return refusal
        if fence is not None and self.fence(current.resource_id) != fence:
            return FenceMoved()
        changed = moved(current, state, clock_ms, now_ms, asked.inputs)
        if changed.blocks and not current.blocks and not self.can_claim(changed):
            return Taken(by="booked")
        self._keep(changed)
        self._keep_key(idempotency, changed.id)
        return Changed(booking=changed)

    def reschedule(
        self, booking: Booking, after: Booking, fences: Fences, idempotency: Idempotency | None
    ) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
        """Put the booking into its new slot; the order of the questions is the port's."""
        current = self.rows.get(booking.id)
        if current is None:
            return NotFound(model="Booking", id=booking.id)
        early = answer(current, booking, after, self._made(idempotency))
        if early is not None:
            return early
        left, taken = self.fence(booking.resource_id), self.fence(after.resource_id)
        if not fences.hold(left, taken):
            return FenceMoved()
        moved = placed(current, after)
        if not moved.double and not self.fits(moved):
            return Taken(by="booked")
        self._keep(moved)
        self._keep_key(idempotency, moved.id)
        return Rescheduled(booking=moved)

    def delete_booking(
        self, booking: Booking, fence: int | None
    ) -> Deleted | FenceMoved | NotFound | NotOpen:
        """Delete the booking as it was read; its keys answer to nobody."""
        current = self.rows.get(booking.id)
        if current is None:
            return NotFound(model="Booking", id=booking.id)
        if not current.is_as(booking):
            return NotOpen(booking=current, open_actions=())
        if fence is not None and self.fence(booking.resource_id) != fence:
            return FenceMoved()
        self.raise_fence(booking.reserved_on)
        del self.rows[booking.id]
        self._blocking.get(booking.resource_id, {}).pop(booking.id, None)
        for made in (self._by_key, self._changed):
            for digest in [
                digest for digest, (made_id, _) in made.items() if made_id == booking.id
            ]:
                del made[digest]
        return Deleted()

    def _made(self, idempotency: Idempotency | None) -> str | KeyReused | None:
        made = self._changed.get(idempotency.digest) if idempotency else None
        if made is None or idempotency is None:
            return None
        return made[0] if made[1] == idempotency.fingerprint else KeyReused()

    def _keep_key(self, idempotency: Idempotency | None, booking_id: str) -> None:
        if idempotency:
            self._changed[idempotency.digest] = (booking_id, idempotency.fingerprint)

    def fences(self, booking: Booking, after: Booking) -> Fences:
        """Return the fences of the resources that a booking leaves and goes to."""
        return Fences(left=self.fence(booking.resource_id), taken=self.fence(after.resource_id))

    def changed_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking that an Idempotency-Key changed, and the fingerprint it came with."""
        made = self._changed.get(digest)
        return (self.rows[made[0]], made[1]) if made else None

    def booking(self, booking_id: str) -> Booking | None:
        """Return the booking."""
        return self.rows.get(booking_id)

    def booking_by_reservation(self, reservation_id: str) -> Booking | None:
        """Return the booking that the reservation became."""
        return self.rows.get(self._by_reservation.get(reservation_id, ""))

    def booking_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking an Idempotency-Key made, and the fingerprint it came with."""
        made = self._by_key.get(digest)
        if made is None or made[0] not in self.rows:
            return None
        return self.rows[made[0]], made[1]

    def _that_block(self, resource_id: str) -> list[Booking]:
        return list(self._blocking.get(resource_id, {}).values())

    def _keep(self, booking: Booking) -> None:
        self.rows[booking.id] = booking
        for blocking in self._blocking.values():
            blocking.pop(booking.id, None)
        if booking.blocks:
            self._blocking.setdefault(booking.resource_id, {})[booking.id] = booking
