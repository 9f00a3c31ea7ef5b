"""The store's part of a hand-off: an entry is unsettled before the booking store decides."""

from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import Cold, Ended, Pending
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.reservations.answers import ended, unexpected
from reservesvc.reservations.scripted import Scripted


class Handoffs(Scripted):
    """Marks entries, and settles them."""

    async def unsettle_reservation(self, reservation: Reservation) -> Pending | Ended | Cold:
        """Mark a live reservation's entry as being decided by the booking store."""
        return await self._unsettle("r", reservation.entry)

    async def unsettle_booking(self, entry: Entry) -> Pending | Cold:
        """Mark a booked entry as being decided by the booking store."""
        outcome = await self._unsettle("b", entry)
        if isinstance(outcome, Ended):
            raise unexpected("unsettle", ["gone"])
        return outcome

    async def _unsettle(self, kind: str, entry: Entry) -> Pending | Ended | Cold:
        nonce = self._ids.token()
        arguments = (
            kind,
            entry.start_ms,
            entry.end_ms,
            entry.quantity,
            nonce,
            self._times.grace_ms,
        )
        match await self._call(self._scripts["unsettle"], self._keys_of_entry(entry), arguments):
            case [b"unsettled", now_ms, fence]:
                return Pending(fence=int(fence), nonce=nonce, now_ms=now_ms)
            case [b"gone", tombstone]:
                return ended(tombstone)
            case [b"cold"]:
                return Cold()
            case answer:
                raise unexpected("unsettle", answer)

    async def settle_booked(self, entry: Entry, pending: Pending, booking_id: str) -> bool:
        """Make the entry booked, end its reservation; False where a resync did it already."""
        return await self._settle(entry, pending, "booked", booking_id)

    async def settle_freed(self, entry: Entry, pending: Pending) -> bool:
        """Remove the entry, end its reservation; False where a resync did it already."""
        return await self._settle(entry, pending, "freed", "")

    async def _settle(self, entry: Entry, pending: Pending, outcome: str, booking_id: str) -> bool:
        arguments = (
            pending.fence,
            entry.start_ms,
            entry.end_ms,
            entry.quantity,
            pending.nonce,
            outcome,
            booking_id,
            self._times.ended_ms,
        )
        match await self._call(self._scripts["settle"], self._keys_of_entry(entry), arguments):
            case [b"settled", _]:
                return True
            case [b"superseded"]:
                return False
            case answer:
                raise unexpected("settle", answer)

    def _keys_of_entry(self, entry: Entry) -> list[str]:
        reservation_id = ReservationId(entry.resource_id, entry.id)
        return [
            self._keys.reservation(reservation_id),
            self._keys.slots(entry.resource_id),
            self._keys.fence(entry.resource_id),
            self._keys.ended(reservation_id),
        ]
