"""reschedule: take another slot for a booking and give its old one back, or change nothing.

    claim the new slot → unsettle both entries → one booking-store transaction → settle both

The claim passes over the booking's own entry, so that it can move by half an hour. A crash
between any two steps leaves a claim that lapses, and entries that only the booking store can
judge: whoever meets one asks it (`resync`).
"""

from msgspec import Struct
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Cold,
    FenceMoved,
    Invalid,
    KeyReused,
    NotFound,
    NotOpen,
    OutOfReach,
    Pending,
    ReplayedEnded,
    Rescheduled,
    Reserved,
    Taken,
)
from reservesvc.domain.rescheduling import (
    Fences,
    can_be_rescheduled,
    rescheduled,
    slot_of,
    slot_wanted,
    terms_of,
)
from reservesvc.domain.reservation import Claim, Reservation
from reservesvc.domain.slot import is_resource_id
from reservesvc.domain.wish import Limits, Wish
from reservesvc.flow.reserve import UNLIMITED, claim_for
from reservesvc.flow.resync import ATTEMPTS, kept_cold, resync
from reservesvc.flow.settle import give_back, settle
from reservesvc.flow.unsettle import Unindexed, unsettle_booking
from reservesvc.ports import Idempotency, Stores

End = Rescheduled | Invalid | KeyReused | NotFound | NotOpen | OutOfReach | Taken


class _Plan(Struct, frozen=True):
    """What is to happen to a booking."""

    before: Booking
    after: Booking
    claim: Claim
    capacity: int


class _Held(Struct, frozen=True):
    """A plan whose new slot is claimed."""

    plan: _Plan
    reservation: Reservation


class _Pair(Struct, frozen=True):
    """Both entries, unsettled: of the slot that is left, and of the one that is taken."""

    left: Pending | None
    """None where the booking ended so long ago that its slot needs no entry"""
    taken: Pending

    @property
    def fences(self) -> Fences:
        """Under which fences the booking store may decide."""
        return Fences(left=None if self.left is None else self.left.fence, taken=self.taken.fence)


async def reschedule(
    stores: Stores, limits: Limits, booking_id: str, wish: Wish, idempotency: Idempotency | None
) -> End:
    """Put the booking into the slot that `wish` names; if it is there already, that is the answer.

    Raises:
        UnavailableError: nothing was changed; the new slot may be held for the grace.
        OutcomeUnknownError: repeating the request tells.

    """
    earlier = await _done_by_key(stores, idempotency)
    if earlier:
        return earlier
    attempts = _Attempts(stores, idempotency)
    for _ in range(ATTEMPTS):
        booking = await stores.bookings.booking(booking_id)
        if booking is None:
            return NotFound(model="Booking", id=booking_id)
        await attempts.drop_void_claim(booking)
        plan = await _plan(stores, limits, booking, wish)
        end = await attempts.carry_out(plan) if isinstance(plan, _Plan) else plan
        if end is not None:
            return end
    raise kept_cold(booking_id)


class _Attempts:
    """One request's attempts, and what they learn from one another."""

    def __init__(self, stores: Stores, idempotency: Idempotency | None) -> None:
        self._stores = stores
        self._idempotency = idempotency
        self._held: _Held | None = None
        self._ended_claim: str | None = None
        self._refused: Fences | None = None

    async def drop_void_claim(self, booking: Booking) -> None:
        """Give back what the attempt before has claimed, if nobody can need it any more."""
        held, self._held = self._held, None
        if held and _is_void(held, booking):
            await give_back(self._stores, held.reservation)

    async def carry_out(self, plan: _Plan) -> End | None:
        """Return how it ended, or None where the booking has to be looked at again."""
        claimed = await self._claim(plan)
        if not isinstance(claimed, Reserved):
            return claimed
        self._held = held = _Held(plan, claimed.reservation)
        pair = await _unsettle(self._stores, held)
        if pair is None or pair.fences == self._refused:
            for resource_id in sorted({plan.before.resource_id, plan.after.resource_id}):
                await resync(self._stores, resource_id)
            return None
        decision = await _decide(self._stores, plan, pair, self._idempotency)
        if not isinstance(decision, FenceMoved | NotOpen):
            return decision
        # A fence moves with a resync, which is about to warm the index (see `fenced`). Of a
        # booking that somebody else has changed, the next look tells what can be done.
        self._refused = pair.fences if isinstance(decision, FenceMoved) else None
        return None

    async def _claim(self, plan: _Plan) -> Reserved | KeyReused | OutOfReach | Taken | None:
        outcome = await self._stores.reservations.reserve_instead(
            plan.claim, plan.capacity, plan.before.entry_id
        )
        if not isinstance(outcome, Cold | ReplayedEnded):
            return outcome
        # A request that repeats this one may just have done what both want: look at the booking.
        # If that was not it, their claim has lapsed and left its entry, which a resync drops.
        is_news = isinstance(outcome, ReplayedEnded) and outcome.ulid != self._ended_claim
        self._ended_claim = plan.after.entry_id
        if not is_news:
            await resync(self._stores, plan.after.resource_id)
        return None


async def _done_by_key(
    stores: Stores, idempotency: Idempotency | None
) -> Rescheduled | KeyReused | None:
    found = await stores.bookings.changed_by_key(idempotency.digest) if idempotency else None
    if found is None or idempotency is None:
        return None
    made = idempotency.judge(found)
    return made if isinstance(made, KeyReused) else Rescheduled(booking=made, repeated=True)


async def _plan(
    stores: Stores, limits: Limits, before: Booking, wish: Wish
) -> _Plan | Invalid | NotOpen | Rescheduled:
    """Return what is to happen to the booking, or why nothing is.

    A booking that cannot be rescheduled says so first, whatever slot is asked for.
    """
    if not can_be_rescheduled(before):
        return NotOpen(booking=before, open_actions=tuple(before.open_actions))
    named = wish.resource_id or ""
    resource_id = named if is_resource_id(named) else before.resource_id
    resource = await stores.settings.resource(resource_id)
    slot = slot_wanted(before, wish, resource, limits)
    if slot is None:
        return Invalid(errors=wish.errors)
    if slot == slot_of(before):
        return Rescheduled(booking=before, repeated=True)
    after = rescheduled(before, slot)
    claim = claim_for(terms_of(after), after.entry_id, limits.grace_ms)
    return _Plan(before, after, claim, UNLIMITED if before.double else resource.capacity)


def _is_void(held: _Held, booking: Booking) -> bool:
    """Tell whether nobody can need the claim any more, now that the booking is what it is.

    Requests that repeat this one share its claim, and one of them may still be deciding: as
    long as the booking is where they all saw it, or keeps the slot they all want.
    """
    plan = held.plan
    if booking.entry_id == plan.before.entry_id:
        return not can_be_rescheduled(booking)
    return booking.entry_id != plan.after.entry_id or not booking.blocks


async def _unsettle(stores: Stores, held: _Held) -> _Pair | None:
    """Mark both entries; None where one is not there, or its index is cold."""
    taken = await stores.reservations.unsettle_reservation(held.reservation)
    if not isinstance(taken, Pending):
        return None
    left = await unsettle_booking(stores, held.plan.before)
    if isinstance(left, Unindexed):
        return _Pair(None, taken)
    return _Pair(left, taken) if isinstance(left, Pending) else None


async def _decide(
    stores: Stores, plan: _Plan, pair: _Pair, idempotency: Idempotency | None
) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
    after = replace(plan.after, updated_ms=pair.taken.now_ms)
    decision = await stores.bookings.reschedule(plan.before, after, pair.fences, idempotency)
    if isinstance(decision, Rescheduled | NotOpen):
        await _settle(stores, plan, pair, decision.booking)
    return decision


async def _settle(stores: Stores, plan: _Plan, pair: _Pair, current: Booking) -> None:
    """Settle what is certain now that the booking is `current`; leave the rest to who meets it."""
    old, new = plan.before.entry, plan.after.entry
    if current.entry_id == new.id:
        await settle(stores, new, pair.taken, current)
    if pair.left and current.entry_id != old.id:
        await settle(stores, old, pair.left, None)
