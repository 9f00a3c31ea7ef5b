"""What is certain after each step of a history, whatever the stores believe.

Built only from what calls answered at the moment they took effect; knows no index, no fence.
"""

from dataclasses import dataclass, field

from reservesvc.domain.booking import Booking
from reservesvc.domain.reservation import Claim, Reservation, ReservationId
from reservesvc.domain.slot import Usage, peak


@dataclass
class Held:
    """A reservation that was granted and has not ended before its time."""

    resource_id: str
    usage: Usage
    granted_ms: int
    until_ms: int
    """its deadline, as far as anybody was told"""
    key_until_ms: int
    """how long it may be in the way: the grace of its hand-off included"""
    is_graced: bool = False
    instead: str = ""
    """the entry of the booking that it is to be the new slot of"""


@dataclass
class Ledger:
    """Who holds and who has booked what."""

    capacities: dict[str, int]
    held: dict[ReservationId, Held] = field(default_factory=dict)
    granted: set[ReservationId] = field(default_factory=set)
    """every reservation there ever was"""
    committed: dict[str, Booking] = field(default_factory=dict)
    """bookings by id, in the state last committed"""
    states: dict[str, set[str]] = field(default_factory=dict)
    """every state that each booking has been in"""
    blocking: dict[str, dict[str, Booking]] = field(default_factory=dict)
    """by resource, then by id"""
    placed: set[tuple[str, str]] = field(default_factory=set)
    """every booking with every entry it ever had"""
    by_reservation: dict[str, str] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    acts: dict[str, str] = field(default_factory=dict)
    """key of an action → the booking that it was taken of"""
    moves: dict[str, tuple[str, str]] = field(default_factory=dict)
    """fingerprint and booking of each Idempotency-Key of reschedule"""
    deleted: set[str] = field(default_factory=set)
    """bookings that are no more"""
    pins: dict[str, tuple[str, ReservationId]] = field(default_factory=dict)
    """fingerprint and reservation of each Idempotency-Key of reserve"""

    def grant(self, claim: Claim, reservation: Reservation, instead: str = "") -> None:
        """Note a reservation."""
        usage = Usage(claim.start_ms, claim.end_ms, claim.quantity)
        until_ms = reservation.expires_ms
        self.granted.add(claim.id)
        self.held[claim.id] = Held(
            claim.id.resource_id, usage, reservation.now_ms, until_ms, until_ms, instead=instead
        )

    def suspect(self, claim: Claim, reservation: Reservation) -> None:
        """Note a reservation that may be in the way, and assures nobody of anything."""
        self.grant(claim, reservation)
        self.held[claim.id].until_ms = reservation.now_ms

    def end(self, reservation_id: ReservationId) -> None:
        """Note that a reservation holds nothing any more."""
        self.held.pop(reservation_id, None)

    def lose_reservations(self) -> None:
        """Note that Redis was emptied."""
        for reservation_id in list(self.held):
            self.end(reservation_id)
        self.pins.clear()

    def commit(self, booking: Booking) -> None:
        """Note a booking, or its new state or slot."""
        self.committed[booking.id] = booking
        self.placed.add((booking.id, booking.entry_id))
        self.leave(booking.id)
        self.states.setdefault(booking.id, set()).add(booking.state)
        if booking.blocks:
            self.blocking.setdefault(booking.resource_id, {})[booking.id] = booking

    def delete(self, booking_id: str) -> None:
        """Note that a booking is no more; its keys answer to nobody."""
        self.leave(booking_id)
        self.deleted.add(booking_id)
        for made in (self.by_reservation, self.by_key):
            for name in [name for name, booked in made.items() if booked == booking_id]:
                del made[name]
        for digest in [digest for digest, move in self.moves.items() if move[1] == booking_id]:
            del self.moves[digest]
        for digest in [digest for digest, acted in self.acts.items() if acted == booking_id]:
            del self.acts[digest]

    def leave(self, booking_id: str) -> None:
        """Note that a booking keeps no slot, for now or for good."""
        for blocking in self.blocking.values():
            blocking.pop(booking_id, None)

    def is_booked(self, reservation_id: ReservationId) -> bool:
        """Tell whether the reservation became a booking that keeps its slot."""
        made = self.by_reservation.get(str(reservation_id))
        return made is not None and self.committed[made].blocks

    def is_live(self, reservation_id: ReservationId, now_ms: int) -> bool:
        """Tell whether the reservation holds its slot for certain."""
        held = self.held.get(reservation_id)
        return held is not None and now_ms < held.until_ms

    def is_over(self, reservation_id: ReservationId, now_ms: int) -> bool:
        """Tell whether no hand-off of the reservation may begin any more."""
        held = self.held.get(reservation_id)
        return held is None or now_ms > held.key_until_ms

    def booked(self, resource_id: str, instead: str = "") -> list[Usage]:
        """Return what bookings use; all but the one whose entry is `instead`."""
        found = self.blocking.get(resource_id, {}).values()
        return [booking.usage for booking in found if booking.entry_id != instead]

    def certain(self, resource_id: str, now_ms: int, instead: str = "") -> list[Usage]:
        """Return what bookings and reservations use for certain."""
        held = [
            usage
            for held in self.held.values()
            if held.resource_id == resource_id and now_ms < held.until_ms
            for usage in self._beside_own(held)
        ]
        return held + self.booked(resource_id, instead)

    def _beside_own(self, held: Held) -> list[Usage]:
        """Return what a claim uses that the booking it is made for does not use already."""
        start_ms, end_ms, quantity = usage = held.usage
        own = self._blocking_entry(held.resource_id, held.instead)
        if own is None or own.end_ms <= start_ms or own.start_ms >= end_ms:
            return [usage]
        before = Usage(start_ms, own.start_ms, quantity)
        behind = Usage(own.end_ms, end_ms, quantity)
        return [piece for piece in (before, behind) if piece.start_ms < piece.end_ms]

    def _blocking_entry(self, resource_id: str, entry_id: str) -> Booking | None:
        found = self.blocking.get(resource_id, {}).values()
        return next((booking for booking in found if booking.entry_id == entry_id), None)

    def possible(self, resource_id: str, now_ms: int, instead: str = "") -> list[Usage]:
        """Return what bookings and reservations may still be in the way with."""
        held = [
            held.usage
            for held in self.held.values()
            if held.resource_id == resource_id and now_ms <= held.key_until_ms
        ]
        return held + self.booked(resource_id, instead)

    def fits(self, resource_id: str, wanted: Usage, usages: list[Usage]) -> bool:
        """Tell whether there is room for `wanted` beside `usages`."""
        in_use = peak(usages, wanted.start_ms, wanted.end_ms)
        return in_use + wanted.quantity <= self.capacities[resource_id]
