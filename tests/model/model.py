"""What the service promises, as small as it can be said: one resource, no stores, no clock."""

from dataclasses import dataclass, field

from reservesvc.domain.slot import Usage, peak


@dataclass
class Model:
    """The reservations that live, the bookings that block, and nothing else."""

    capacity: int
    held: dict[str, Usage] = field(default_factory=dict)
    booked: dict[str, Usage] = field(default_factory=dict)
    """by reservation id"""
    waiting: dict[str, Usage] = field(default_factory=dict)
    """what tentative bookings will want once they are confirmed, by reservation id"""
    declined: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)

    def fits(self, usage: Usage) -> bool:
        """Tell whether there is room."""
        others = [*self.held.values(), *self.booked.values()]
        in_use = peak(others, usage.start_ms, usage.end_ms)
        return in_use + usage.quantity <= self.capacity

    def convert(self, reservation_id: str) -> bool:
        """Make a booking of a reservation; tell whether there is or was one to make it of."""
        if reservation_id in self.held:
            self.booked[reservation_id] = self.held.pop(reservation_id)
        return reservation_id in self.booked or reservation_id in self.cancelled

    def confirm(self, reservation_id: str) -> bool:
        """Give a tentative booking its slot; tell whether there is room."""
        if not self.fits(self.waiting[reservation_id]):
            return False
        self.booked[reservation_id] = self.waiting.pop(reservation_id)
        return True

    def decline(self, reservation_id: str) -> None:
        """Turn a tentative booking down."""
        del self.waiting[reservation_id]
        self.declined.add(reservation_id)

    def cancel(self, reservation_id: str) -> None:
        """Give a booking's slot back."""
        del self.booked[reservation_id]
        self.cancelled.add(reservation_id)
