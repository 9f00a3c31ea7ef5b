"""`/v2/bookings`: hand a reservation off, book directly, read, list, take an action."""

import re
from typing import Any

from msgspec.structs import replace

from reservesvc.api import listing, render, replies, schemas, search, wishes
from reservesvc.api.call import Call
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.inputs import inputs_of
from reservesvc.api.replies import Reply
from reservesvc.api.reservations import identify
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, Changed, Deleted, Invalid, NotFound, Rescheduled
from reservesvc.domain.project import Resource, unregistered
from reservesvc.domain.wish import REQUIRED, Wish
from reservesvc.errors import UnavailableError
from reservesvc.flow import act as flow_act
from reservesvc.flow import book as flow_book
from reservesvc.flow import delete as flow_delete
from reservesvc.flow import reschedule as flow_reschedule
from reservesvc.ports import Idempotency

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def book(call: Call) -> Reply:
    """Book a slot: the one a reservation holds, or a free one."""
    wish = wishes.to_book(await call.decode(schemas.BOOK))
    if "reservation_id" in wish.errors:
        return call.refuse(Invalid(errors=wish.errors))
    if wish.reservation_id is None:
        return await _directly(call, wish)
    return await _from_reservation(call, wish, wish.reservation_id)


async def read(call: Call) -> Reply:
    """Return a booking."""
    booking_id = _booking_id(call)
    booking = await call.stores.bookings.booking(booking_id) if booking_id else None
    if booking is None:
        return call.refuse(_not_found(call))
    return await _reply(call, booking)


async def find(call: Call) -> Reply:
    """List the bookings that match."""
    query, page = search.query(call.request)
    found, total = await call.stores.bookings.bookings(query)
    beside = listing.envelope(call.request, page, len(found), total)
    return replies.json({"data": [await _rendered(call, each) for each in found]} | beside)


async def act(call: Call) -> Reply:
    """Take an action; what is sent along under its name is kept with the booking.

    The last action again, with the same input, changes nothing.
    """
    call.verb = "act"
    action = call.part("action")
    inputs, errors = await inputs_of(call, action)
    booking_id = _booking_id(call)
    if booking_id is None:
        return call.refuse(_not_found(call))
    key = _key_for(call, booking_id, action)
    outcome = await flow_act.act(
        call.stores, booking_id, action, inputs, call.limits, errors=errors, idempotency=key
    )
    if not isinstance(outcome, Changed):
        return call.refuse(outcome)
    call.outcome = "repeated" if outcome.repeated else outcome.booking.state
    headers = REPLAYED if key and outcome.repeated else None
    return await _reply(call, outcome.booking, 200, headers)


async def update(call: Call) -> Reply:
    """Replace a booking's meta."""
    body, errors = await call.decode(schemas.UPDATE)
    if body.meta is None or errors:
        errors.setdefault("meta", [f"meta {REQUIRED}"])
        return call.refuse(Invalid(errors=errors))
    booking_id = _booking_id(call)
    outcome = await call.stores.bookings.set_meta(booking_id, body.meta) if booking_id else None
    if not isinstance(outcome, Changed):
        return call.refuse(outcome or _not_found(call))
    return await _reply(call, outcome.booking)


async def delete(call: Call) -> Reply:
    """Delete a booking that is over."""
    booking_id = _booking_id(call)
    outcome = await flow_delete.delete(call.stores, booking_id) if booking_id else _not_found(call)
    return replies.no_content() if isinstance(outcome, Deleted) else call.refuse(outcome)


async def reschedule(call: Call) -> Reply:
    """Put a booking into another slot."""
    call.verb = "reschedule"
    wish = wishes.to_reschedule(await call.decode(schemas.RESCHEDULE))
    booking_id = _booking_id(call)
    if booking_id is None:
        return call.refuse(_not_found(call))
    key = _key_for(call, booking_id)
    outcome = await flow_reschedule.reschedule(call.stores, call.limits, booking_id, wish, key)
    if not isinstance(outcome, Rescheduled):
        return call.refuse(outcome)
    call.outcome = "repeated" if outcome.repeated else "rescheduled"
    headers = REPLAYED if key and outcome.repeated else None
    return await _reply(call, outcome.booking, 200, headers)


def _key_for(call: Call, *parts: str) -> Idempotency | None:
    """Return the request's key, which is sent for the body and for these parts of the path."""
    key = call.idempotency()
    return key and replace(key, fingerprint="-".join((key.fingerprint, *parts)))


async def _directly(call: Call, wish: Wish) -> Reply:
    call.verb = "book"
    outcome = await flow_book.book(call.stores, call.limits, wish, call.idempotency())
    if not isinstance(outcome, Booked):
        return call.refuse(outcome)
    call.outcome = "replayed" if outcome.repeated else "booked"
    headers = REPLAYED if outcome.repeated else None
    return await _reply(call, outcome.booking, 201, headers)


async def _from_reservation(call: Call, wish: Wish, text: str) -> Reply:
    call.verb = "hand_off"
    reservation_id, key = identify(call, text), call.idempotency()
    outcome = await flow_book.hand_off(call.stores, wish, reservation_id, key)
    if not isinstance(outcome, Booked):
        return call.refuse(outcome)
    call.outcome = "repeated" if outcome.repeated else "booked"
    status, headers = (200, REPLAYED if key else None) if outcome.repeated else (201, None)
    return await _reply(call, outcome.booking, status, headers)


async def _reply(
    call: Call, booking: Booking, status: int = 200, headers: dict[str, str] | None = None
) -> Reply:
    call.booking_id = booking.id
    call.resource_id = booking.resource_id
    return replies.data(await _rendered(call, booking), status, headers)


async def _rendered(call: Call, booking: Booking) -> dict[str, Any]:
    return render.booking(booking, await _resource(call, booking.resource_id))


async def _resource(call: Call, resource_id: str) -> Resource:
    """Return the resource, or only its id: what is booked is booked, whatever its name is."""
    try:
        return await call.stores.settings.resource(resource_id)
    except UnavailableError:
        return unregistered(resource_id)


def _booking_id(call: Call) -> str | None:
    """Return the id in the path, or None where it can be no booking's."""
    text = call.part("booking_id").lower()
    if not _UUID.fullmatch(text):
        return None
    call.booking_id = text
    return text


def _not_found(call: Call) -> NotFound:
    return NotFound(model="Booking", id=call.part("booking_id"))
