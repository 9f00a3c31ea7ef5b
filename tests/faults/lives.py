"""From a history to who held which slot when: for certain, and at most.

For certain: from the answer that says so to the earliest instant it can have ended. At most:
from the request on to the latest instant it can have ended. What is in between is nobody's
to judge; that is the price of looking from outside.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import inf

from msgspec import Struct

from tests.faults.history import History, Op, Slot, Stored


class Hold(Struct, frozen=True, kw_only=True):
    """A slot in somebody's hands for a time."""

    slot: Slot
    holder: str
    """the reservation, which the booking it becomes is one with; else the request"""
    from_s: float
    until_s: float
    why: str


class Lives:
    """The lives of all reservations and bookings of a history."""

    def __init__(self, history: History) -> None:
        self._terms = history.terms
        self._windows = history.windows
        self._losses = [window for window in history.windows if window.loses_data]
        self.rows = {row.id: row for row in history.stored}
        self.row_by_reservation = {row.reservation_id: row for row in history.stored}
        self._ops = history.ops
        self._about: dict[str, list[Op]] = defaultdict(list)
        self._direct: dict[str, list[Op]] = defaultdict(list)
        self.grants: dict[str, list[Op]] = defaultdict(list)
        for op in history.ops:
            if op.subject:
                self._about[op.subject].append(op)
            if op.kind == "book":
                self._direct[op.what].append(op)
            if op.kind == "reserve" and op.granted:
                self.grants[op.reservation_id].append(op)

    def about(self, subject: str, *kinds: str) -> Iterable[Op]:
        """Return the requests about a reservation or booking, of these kinds."""
        return (op for op in self._about[subject] if op.kind in kinds)

    def lost_during(self, ops: Iterable[Op]) -> bool:
        """Tell whether Redis lost data while these requests came, the first to the last."""
        times = [time_s for op in ops for time_s in (op.sent_s, op.done_s)]
        return any(
            window.began_s < max(times) and window.ended_s > min(times) for window in self._losses
        )

    def latest_s(self, op: Op) -> float:
        """Return the latest instant at which `op` can have had its effect."""
        if not op.uncertain:
            return op.done_s
        # A paused server or a stalled line may carry it out later, once that is over.
        ends = [window.healed_s for window in self._windows if window.touches(op)]
        return max([op.done_s, *ends]) + 2 * self._terms.deadline_s

    def certain_until_s(self, reservation_id: str, *, for_handoff: bool = False) -> float:
        """Return until when the reservation is alive for certain.

        Args:
            reservation_id: one that was granted.
            for_handoff: a hand-off before does not matter, for its repeat is answered as well.

        """
        grants = self.grants[reservation_id]
        promised = [op.sent_s + op.remaining_ms / 1000 for op in grants]
        promised += [
            op.sent_s + op.duration_s for op in self.about(reservation_id, "extend") if op.granted
        ]
        enders = ("release",) if for_handoff else ("release", "hand_off")
        ended = [op.sent_s for op in self.about(reservation_id, *enders) if op.may_have_worked]
        first_s = min(op.sent_s for op in grants)
        lost = [window.began_s for window in self._losses if window.healed_s > first_s]
        return min([max(promised), *ended, *lost])

    def latest_end_s(self, reservation_id: str, as_of_s: float = inf) -> float:
        """Return when the reservation is over at the latest, hand-offs left out of account.

        Args:
            reservation_id: one that was granted.
            as_of_s: extensions that were sent later are left out as well.

        """
        released = [op.done_s for op in self.about(reservation_id, "release") if op.granted]
        ends = [op.done_s + op.remaining_ms / 1000 for op in self.grants[reservation_id]]
        ends += [
            self.latest_s(op) + op.duration_s
            for op in self.about(reservation_id, "extend")
            if op.may_have_worked and op.sent_s < as_of_s
        ]
        return min([max(ends), *released])

    def certain(self) -> list[Hold]:
        """Return what was held for certain."""
        holds = [self._certain_reservation(one) for one in self.grants]
        holds += [
            self._certain_booking(op)
            for op in self._ops
            if op.kind in ("hand_off", "book") and op.granted
        ]
        return [hold for hold in holds if hold.from_s < hold.until_s]

    def _certain_reservation(self, reservation_id: str) -> Hold:
        first = min(self.grants[reservation_id], key=lambda op: op.done_s)
        return Hold(
            slot=first.slot,
            holder=reservation_id,
            from_s=first.done_s,
            until_s=self.certain_until_s(reservation_id),
            why=f"reserved by #{first.number}",
        )

    def _certain_booking(self, op: Op) -> Hold:
        cancels = self.about(op.booking_id, "cancel")
        return Hold(
            slot=op.slot,
            holder=op.reservation_id,
            from_s=op.done_s,
            until_s=min((cancel.sent_s for cancel in cancels if not cancel.failed), default=inf),
            why=f"booked by #{op.number}",
        )

    def possible(self) -> list[Hold]:
        """Return what may have been held, generously."""
        holds = [hold for op in self._ops for hold in self._possible(op)]
        return holds + [self._possible_booking(row) for row in self.rows.values()]

    def _possible(self, op: Op) -> Iterable[Hold]:
        holder = op.reservation_id or op.subject or f"#{op.number}"
        until_s = None
        if op.kind == "reserve" and op.granted:
            until_s = self.latest_end_s(op.reservation_id)
        elif op.kind == "reserve" and (op.uncertain or (op.cart and op.failed)):
            # A cart that failed may not have been able to give back what it had.
            until_s = self.latest_s(op) + op.duration_s
        elif op.cart and op.refused:
            # What it had is given back before it is answered, or lapses where Redis did not hear.
            lapses_s = op.duration_s if any(one.touches(op) for one in self._windows) else 0
            until_s = op.done_s + lapses_s
        elif op.kind in ("book", "hand_off") and (not op.refused or self._lost_before(op)):
            # Both keep a reservation for the grace, whatever comes of it; refused they do so
            # only where Redis did not know what is booked.
            until_s = self.latest_s(op) + self._terms.grace_s
        if until_s is not None:
            yield Hold(
                slot=op.slot,
                holder=holder,
                from_s=op.sent_s,
                until_s=until_s,
                why=f"#{op.number}",
            )

    def _lost_before(self, op: Op) -> bool:
        return any(window.began_s < op.done_s for window in self._losses)

    def _possible_booking(self, row: Stored) -> Hold:
        cancels = self.about(row.id, "cancel")
        over = [op.done_s for op in cancels if op.granted]
        return Hold(
            slot=row.slot,
            holder=row.reservation_id,
            from_s=min((op.sent_s for op in self.makers(row)), default=inf),
            until_s=min(over, default=inf),
            why=f"booking {row.id}",
        )

    def makers(self, row: Stored) -> list[Op]:
        """Return the requests that can have made a booking."""
        made = [op for op in self.about(row.reservation_id, "hand_off") if op.may_have_worked]
        return made + [op for op in self._direct[row.what] if op.may_have_worked]
