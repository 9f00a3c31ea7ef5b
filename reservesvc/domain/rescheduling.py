"""Rescheduling: which bookings can go to another slot, and what they are there."""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import KeyReused, NotOpen, Rescheduled
from reservesvc.domain.project import Resource
from reservesvc.domain.reservation import ulid_of
from reservesvc.domain.slot import RESOURCE_ID_RULE, Slot, Usage, is_resource_id, peak
from reservesvc.domain.wish import Limits, Terms, Wish, check_slot

_DIGEST_BYTES = 16


class Fences(Struct, frozen=True, kw_only=True):
    """Under which fences a booking is rescheduled; the same where it stays with its resource."""

    left: int | None
    """of the resource whose slot it gives back; None where no index needs that slot's entry"""
    taken: int
    """of the resource whose slot it takes"""

    def hold(self, left: int, taken: int) -> bool:
        """Tell whether these are the fences, as they stand now."""
        return self.taken == taken and self.left in {left, None}


def can_be_rescheduled(booking: Booking) -> bool:
    """Tell whether the booking keeps a slot and still has something to come."""
    return booking.blocks and bool(booking.open_actions)


def slot_of(booking: Booking) -> Slot:
    """Return where the booking is."""
    return Slot(booking.resource_id, booking.start_ms, booking.end_ms)


def slot_wanted(booking: Booking, wish: Wish, resource: Resource, limits: Limits) -> Slot | None:
    """Return where the booking is to go, or None with `wish.errors` filled in.

    Args:
        booking: the one that is to be rescheduled.
        wish: the request.
        resource: the one it is to go to.
        limits: how much a request may ask for.

    """
    if wish.resource_id is not None and not is_resource_id(wish.resource_id):
        wish.wrong("resource_id", RESOURCE_ID_RULE)
    check_slot(wish, limits)
    if booking.quantity > resource.capacity:
        rule = f"has a capacity of {resource.capacity}; this booking needs {booking.quantity}"
        wish.wrong("resource_id", rule)
    if wish.errors:
        return None
    return Slot(resource.id, wish.start_ms or 0, wish.end_ms or 0)


def rescheduled(booking: Booking, slot: Slot) -> Booking:
    """Return the booking as it is in `slot`.

    The id of its new entry follows from what it was and where it goes. So whoever repeats the
    request claims the slot under the same id, and does not stand in their own way.
    """
    names = (booking.id, booking.entry_id, slot.resource_id, str(slot.start_ms), str(slot.end_ms))
    digest = blake2b("\0".join(names).encode(), digest_size=_DIGEST_BYTES).digest()
    moved = replace(
        booking,
        entry_id=ulid_of(int.from_bytes(digest)),
        resource_id=slot.resource_id,
        start_ms=slot.start_ms,
        end_ms=slot.end_ms,
    )
    return _timed(moved)


def _timed(moved: Booking) -> Booking:
    """Return the booking with its timer where it is counted from the slot's end."""
    return moved if moved.waits_ms is not None else replace(moved, due_ms=moved.due_from(0))


def terms_of(booking: Booking) -> Terms:
    """Return the terms of the claim on the booking's slot; without its customers."""
    return Terms(
        resource_id=booking.resource_id,
        start_ms=booking.start_ms,
        end_ms=booking.end_ms,
        duration_s=0,
        quantity=booking.quantity,
        what=booking.what,
        where=booking.where,
        description=booking.description,
        project_id=booking.project_id,
        customer={},
        graph=booking.graph,
    )


def placed(current: Booking, after: Booking) -> Booking:
    """Return the booking as it stands in the store, in the slot and at the time of `after`."""
    return along(replace(current, entry_id=after.entry_id), after)


def along(current: Booking, after: Booking) -> Booking:
    """Return a booking of a group's customer as it goes where its owner goes, entry and all.

    A timer counted from the slot's end goes along, one counted from the state does not.
    """
    moved = replace(
        current,
        resource_id=after.resource_id,
        start_ms=after.start_ms,
        end_ms=after.end_ms,
        updated_ms=after.updated_ms,
    )
    return _timed(moved)


def answer(
    current: Booking, before: Booking, after: Booking, made: str | KeyReused | None
) -> Rescheduled | KeyReused | NotOpen | None:
    """Return how the request ends where that needs no look at the slot, or None.

    Args:
        current: the booking as it stands in the store.
        before: as it was read.
        after: as it is to be.
        made: which booking the request's key has rescheduled, as far as it has one.

    """
    if isinstance(made, KeyReused):
        return made
    if made is not None or current.entry_id == after.entry_id:
        return Rescheduled(booking=current, repeated=True)
    if not current.is_as(before):
        return NotOpen(booking=current, open_actions=())
    return None


def fits(booking: Booking, after: Booking, usages: Iterable[Usage], capacity: int) -> bool:
    """Tell whether the resource has room for the booking in its new slot.

    Args:
        booking: as it is.
        after: as it is to be.
        usages: what counts in the new slot; it may have the booking's own in it.
        capacity: of the resource the booking is to go to.

    """
    if after.double:
        return True
    others = list(usages)
    if booking.resource_id == after.resource_id and booking.usage in others:
        others.remove(booking.usage)
    return peak(others, after.start_ms, after.end_ms) + after.quantity <= capacity
