"""`/v2/bookings/reserve`: reserve a slot, look at reservations, extend one, give one back."""

from typing import cast

import msgspec

from reservesvc.api import listing, refusals, render, replies, schemas, wishes
from reservesvc.api.call import Call
from reservesvc.api.decoding import Errors
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.listing import Page
from reservesvc.api.problems import RefusedError, invalid
from reservesvc.api.query import moment
from reservesvc.api.replies import Reply
from reservesvc.domain.outcomes import Ended, Extended, Invalid, Live, Released, Reserved
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.domain.slot import RESOURCE_ID_RULE, Span, is_resource_id
from reservesvc.domain.wish import REQUIRED
from reservesvc.flow import extend as flow_extend
from reservesvc.flow import read as flow_read
from reservesvc.flow import release as flow_release
from reservesvc.flow import reserve as flow_reserve

_encode = msgspec.json.Encoder().encode


async def reserve(call: Call) -> Reply:
    """Hold a slot."""
    call.verb = "reserve"
    decoded = call.decode_at_hand(schemas.RESERVE) or await call.decode(schemas.RESERVE)
    wish = wishes.to_reserve(decoded)
    context, key = call.context, call.idempotency()
    outcome = await flow_reserve.reserve(context.stores, context.limits, wish, key)
    if isinstance(outcome, Reserved):
        call.outcome = "replayed" if outcome.replayed else "reserved"
        headers = REPLAYED if outcome.replayed else None
        return _reply(call, outcome.reservation, 201, headers)
    if not isinstance(outcome, Invalid):
        call.resource_id = cast("str", wish.resource_id)
    return call.refuse(outcome)


async def read(call: Call) -> Reply:
    """Return a reservation and how much is left of it."""
    reservation_id = identify(call, call.part("reservation_id"))
    outcome = await flow_read.read(call.stores, reservation_id)
    if isinstance(outcome, Live):
        return _reply(call, outcome.reservation)
    return call.refuse(outcome)


async def live(call: Call) -> Reply:
    """List the live reservations of a resource."""
    resource_id, span, page = _asked(call)
    found, total = await flow_read.live(call.stores, resource_id, page.limit, page.offset, span)
    beside = listing.envelope(call.request, page, len(found), total)
    items = b",".join(map(render.reservation, found))
    return replies.raw(b'{"data":[' + items + b"]," + _encode(beside)[1:])


async def extend(call: Call) -> Reply:
    """Move the deadline of a reservation."""
    call.verb = "extend"
    reservation_id, duration_s = await _extension(call)
    outcome = await flow_extend.extend(call.stores, reservation_id, duration_s)
    if isinstance(outcome, Extended):
        call.outcome = "extended"
        return _reply(call, outcome.reservation)
    return call.refuse(outcome)


async def release(call: Call) -> Reply:
    """Give a reservation back; doing so again, or too late, changes nothing and is no error."""
    call.verb = "release"
    reservation_id = identify(call, call.part("reservation_id"))
    outcome = await flow_release.release(call.stores, reservation_id)
    match outcome:
        case Released() | Ended(state="released" | "expired"):
            call.outcome = "released"
            return replies.no_content()
        case _:
            return call.refuse(outcome)


def identify(call: Call, text: str) -> ReservationId:
    """Return the reservation id that `text` is.

    Raises:
        RefusedError: 404, it can be no reservation's.

    """
    reservation_id = ReservationId.parse(text)
    if reservation_id is None:
        raise RefusedError(refusals.RESERVATION_NOT_FOUND)
    call.reservation_id = text
    call.resource_id = reservation_id.resource_id
    return reservation_id


async def _extension(call: Call) -> tuple[ReservationId, int]:
    """Return which reservation is to be extended, and for how many seconds.

    Raises:
        RefusedError: 422, naming every field that is wrong; 404, it can be no reservation.

    """
    body, errors = await call.decode(schemas.EXTEND)
    for name in ("reservation_id", "duration"):
        if getattr(body, name) is None:
            errors.setdefault(name, [f"{name} {REQUIRED}"])
    duration_s, most_s = body.duration or 0, call.limits.duration_s_max
    if not 1 <= duration_s <= most_s:
        errors.setdefault("duration", [f"duration must be from 1 to {most_s} seconds"])
    if errors:
        raise RefusedError(invalid(errors))
    return identify(call, body.reservation_id or ""), duration_s


def _asked(call: Call) -> tuple[str, Span, Page]:
    """Return whose reservations are asked for, between which times, and which page of them.

    Raises:
        RefusedError: 422, naming every parameter that is wrong.

    """
    errors: Errors = {}
    resource_id = call.request.query.get("resource_id", "")
    if not is_resource_id(resource_id):
        rule = RESOURCE_ID_RULE if resource_id else REQUIRED
        errors["resource_id"] = [f"resource_id {rule}"]
    start_ms, end_ms = (moment(call.request, name, errors) for name in ("start", "end"))
    page = listing.read(call.request, errors)
    if errors:
        raise RefusedError(invalid(errors))
    call.resource_id = resource_id
    return resource_id, Span(after_ms=start_ms, before_ms=end_ms), page


def _reply(
    call: Call, reservation: Reservation, status: int = 200, headers: dict[str, str] | None = None
) -> Reply:
    call.resource_id = reservation.id.resource_id
    call.reservation_id = reservation.id.text
    body = render.reservation(reservation, '{"data":{', b"}")
    return replies.Reply(status, body, headers)
