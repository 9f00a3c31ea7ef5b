"""Stores with one guard taken out, each of which the checker must catch.

A checker that finds nothing proves something only if it finds these.
"""

from collections.abc import Callable
from typing import NamedTuple

from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.domain.moves import BY_CALLER, Asked
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Cold,
    Deleted,
    Ended,
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    OutOfReach,
    Overdue,
    Pending,
    ReplayedEnded,
    Rescheduled,
    Reserved,
    Taken,
)
from reservesvc.domain.rescheduling import Fences
from reservesvc.domain.reservation import Claim, Reservation
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.ports import Idempotency, Ids
from reservesvc.reservations.store import Times
from tests.simulation.memory_bookings import MemoryBookings
from tests.simulation.memory_redis import InTheWay, Key, Keyspace, Member, MemoryRedis

RedisMaker = Callable[[Callable[[], int], Ids, Times], MemoryRedis]
BookingsMaker = Callable[[Callable[[], int], dict[str, int]], MemoryBookings]


class Mutant(NamedTuple):
    """What is put in place of the stores."""

    redis: RedisMaker = MemoryRedis
    bookings: BookingsMaker = MemoryBookings
    unknown: type[UnavailableError] = OutcomeUnknownError
    """what a lost reply is called"""


class NoFence(MemoryBookings):
    """A booking is inserted whatever fence it was prepared under."""

    def book(
        self, booking: Booking, fence: int, idempotency: Idempotency | None
    ) -> Booked | FenceMoved | Taken | KeyReused:
        """Look away."""
        del fence
        return super().book(booking, self.fence(booking.resource_id), idempotency)


class NoFenceInAct(MemoryBookings):
    """A state is changed whatever fence that was prepared under."""

    def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
        """Look away."""
        del fence
        return super().change_state(booking, state, None, now_ms, asked, idempotency)


class NoFenceInReschedule(MemoryBookings):
    """A booking changes its slot whatever fences that was prepared under."""

    def reschedule(
        self, booking: Booking, after: Booking, fences: Fences, idempotency: Idempotency | None
    ) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
        """Look away."""
        del fences
        return super().reschedule(booking, after, self.fences(booking, after), idempotency)


class NoGuardInConfirm(MemoryBookings):
    """A booking claims its slot late, whatever it overlaps and whatever happened since."""

    def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
        """Look away, if it claims."""
        claims = booking.state == "tentative"
        held = None if claims else fence
        return super().change_state(booking, state, held, now_ms, asked, idempotency)

    def can_claim(self, booking: Booking) -> bool:
        """Find room for everything."""
        del booking
        return True


class NoFenceInDelete(MemoryBookings):
    """A booking is deleted whatever fence that was prepared under."""

    def delete_booking(
        self, booking: Booking, fence: int | None
    ) -> Deleted | FenceMoved | NotFound | NotOpen:
        """Look away."""
        del fence
        return super().delete_booking(booking, None)


class NoFenceAfterDelete(MemoryBookings):
    """A booking is deleted, and a repeat of its hand-off may still book."""

    def delete_booking(
        self, booking: Booking, fence: int | None
    ) -> Deleted | FenceMoved | NotFound | NotOpen:
        """Leave the fence as it is."""
        fences = dict(self._fences)
        outcome = super().delete_booking(booking, fence)
        self._fences = fences
        return outcome


class ForgottenMove(MemoryBookings):
    """A booking is rescheduled, and the key that this came with is forgotten."""

    def reschedule(
        self, booking: Booking, after: Booking, fences: Fences, idempotency: Idempotency | None
    ) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
        """Forget."""
        del idempotency
        return super().reschedule(booking, after, fences, None)


class ForgottenAct(MemoryBookings):
    """A booking's state is changed, and the key that this came with is forgotten."""

    def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
        """Forget."""
        del idempotency
        return super().change_state(booking, state, fence, now_ms, asked)


class NoGuard(MemoryBookings):
    """A booking is inserted whatever it overlaps."""

    def fits(self, booking: Booking) -> bool:
        """Find room for everything."""
        del booking
        return True


class NoRepeat(MemoryBookings):
    """A booking is inserted although its reservation became one already."""

    def repeated(
        self, booking: Booking, idempotency: Idempotency | None
    ) -> Booked | KeyReused | None:
        """Remember nothing."""
        del booking, idempotency
        return None


class NotDurable(MemoryBookings):
    """Now and then a commit is answered and not made."""

    def insert(self, booking: Booking, idempotency: Idempotency | None) -> None:
        """Forget every fourth."""
        if int(booking.id) % 4:
            super().insert(booking, idempotency)


class NoNonce(MemoryRedis):
    """Settle takes any unsettled entry for its own."""

    def _mine(self, index: Keyspace, entry: Entry, pending: Pending) -> Member | None:
        if index.fence != (pending.fence, self.run):
            return None
        return self._unsettled(index, entry)


class NoSettleFence(MemoryRedis):
    """Settle goes by the nonce alone."""

    def _mine(self, index: Keyspace, entry: Entry, pending: Pending) -> Member | None:
        return self._member(index, "u", entry, pending.nonce)


class NoTicket(MemoryRedis):
    """Any snapshot is installed, however old."""

    def stands(self, index: Keyspace, ticket: str) -> bool:
        """Look away."""
        del index, ticket
        return True


class NoTicketRun(MemoryRedis):
    """A ticket is good in another Redis process as well."""

    def stands(self, index: Keyspace, ticket: str) -> bool:
        """Go by the ticket's name."""
        return index.ticket is not None and index.ticket[0] == ticket


class NoUnsettled(MemoryRedis):
    """A claim takes unsettled entries for dead."""

    def worth(self, index: Keyspace, member: Member) -> tuple[str, int | None]:
        """Look away."""
        return ("dead", None) if member.kind == "u" else super().worth(index, member)


class LostIsDead(MemoryRedis):
    """A claim takes an unsettled entry without a key for dead, and asks nobody."""

    def worth(self, index: Keyspace, member: Member) -> tuple[str, int | None]:
        """Take every entry without a key for dead."""
        worth, left_ms = super().worth(index, member)
        return ("dead" if worth == "lost" else worth), left_ms


class KeyDeletedFirst(MemoryRedis):
    """The reservation's key goes before the booking is committed."""

    def unsettle_reservation(self, reservation: Reservation) -> Pending | Ended | Cold:
        """Burn the reservation."""
        outcome = super().unsettle_reservation(reservation)
        if isinstance(outcome, Pending):
            del self.keyspace(reservation.id.resource_id).keys[reservation.id.ulid]
        return outcome


class FreedFirst(MemoryRedis):
    """The old slot of a booking is freed as the new one is claimed, before the commit."""

    def reserve_instead(
        self, claim: Claim, capacity: int, entry_id: str
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Take the old entry out."""
        outcome = super().reserve_instead(claim, capacity, entry_id)
        if isinstance(outcome, Reserved):
            index = self.keyspace(claim.id.resource_id)
            index.members = [member for member in index.members if member.id != entry_id]
        return outcome


class HalvedTtl(MemoryRedis):
    """A key lives half as long as the answer says."""

    share = 0.5

    def grant(self, claim: Claim, way: list[InTheWay], idempotency: Idempotency | None) -> Reserved:
        """Give it another time."""
        outcome = super().grant(claim, way, idempotency)
        keys, ulid = self.keyspace(claim.id.resource_id).keys, claim.id.ulid
        until_ms = self.clock() + int(claim.duration_ms * self.share)
        keys[ulid] = keys[ulid]._replace(until_ms=until_ms)
        return outcome


class DoubledTtl(HalvedTtl):
    """A key lives twice as long as the answer says."""

    share = 2


class NoRun(MemoryRedis):
    """An index counts as warm whichever Redis process built it."""

    def _is_warm(self, index: Keyspace) -> bool:
        return index.fence is not None


class NonAtomic(MemoryRedis):
    """A claim is judged at one moment and written at a later one, others in between."""

    between_ms = 3
    _before: tuple[str, int, Keyspace] = ("", 0, Keyspace())

    def judge(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> list[InTheWay] | Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Judge by what was there before another's claim, if that was written just now."""
        resource_id, at_ms, before = self._before
        is_recent = self.clock() - at_ms <= self.between_ms
        if resource_id != claim.id.resource_id or not is_recent:
            return super().judge(claim, capacity, idempotency)
        now = self.keyspace(resource_id)
        self.keyspaces[resource_id] = before
        judged = super().judge(claim, capacity, idempotency)
        self.keyspaces[resource_id] = now
        return judged

    def grant(self, claim: Claim, way: list[InTheWay], idempotency: Idempotency | None) -> Reserved:
        """Remember what was there before."""
        resource_id = claim.id.resource_id
        self._before = (resource_id, self.clock(), self.keyspace(resource_id).copy())
        return super().grant(claim, way, idempotency)


class NoIdempotency(MemoryRedis):
    """A claim forgets which key it came with."""

    def reserve(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Forget."""
        del idempotency
        return super().reserve(claim, capacity, None)


class Reviving(MemoryRedis):
    """A key that ended can be found for a while."""

    def _key(self, index: Keyspace, ulid: str) -> Key | None:
        key = index.keys.get(ulid)
        return key if key and self.clock() <= key.until_ms + 300 else None


FAITHFUL = Mutant()
MUTANTS = {
    "none": FAITHFUL,
    "book-without-fence": Mutant(bookings=NoFence),
    "confirm-without-guards": Mutant(bookings=NoGuardInConfirm),
    "cancel-without-fence": Mutant(bookings=NoFenceInAct),
    "reschedule-without-fence": Mutant(bookings=NoFenceInReschedule),
    "delete-without-fence": Mutant(bookings=NoFenceInDelete),
    "late-hand-off-after-delete": Mutant(bookings=NoFenceAfterDelete),
    "key-of-reschedule-forgotten": Mutant(bookings=ForgottenMove),
    "key-of-action-forgotten": Mutant(bookings=ForgottenAct),
    "old-slot-freed-before-the-commit": Mutant(redis=FreedFirst),
    "insert-without-overlap-guard": Mutant(bookings=NoGuard),
    "reservation-booked-again": Mutant(bookings=NoRepeat),
    "commit-not-durable": Mutant(bookings=NotDurable),
    "settle-without-nonce": Mutant(redis=NoNonce),
    "settle-without-fence": Mutant(redis=NoSettleFence),
    "install-without-ticket": Mutant(redis=NoTicket),
    "ticket-without-run": Mutant(redis=NoTicketRun),
    "claim-ignores-unsettled": Mutant(redis=NoUnsettled),
    "unsettled-without-key-is-dead": Mutant(redis=LostIsDead),
    "key-deleted-before-the-commit": Mutant(redis=KeyDeletedFirst),
    "halved-ttl": Mutant(redis=HalvedTtl),
    "doubled-ttl": Mutant(redis=DoubledTtl),
    "run-not-compared": Mutant(redis=NoRun),
    "claim-not-atomic": Mutant(redis=NonAtomic),
    "idempotency-forgotten": Mutant(redis=NoIdempotency),
    "ended-keys-found": Mutant(redis=Reviving),
    "unknown-called-refused": Mutant(unknown=UnavailableError),
}
