"""A shop that reserves, extends, books and cancels, with a client made from /openapi.json.

`python client.py <url> <key> <room> <start> <end>`; it prints what it got as JSON.
"""

import json
import sys
from datetime import datetime

from reservesvc_client import AuthenticatedClient
from reservesvc_client.api.bookings import act_on_booking, book_slot, find_bookings
from reservesvc_client.api.reservations import extend_reservation, reserve_slot
from reservesvc_client.models import (
    ActionInputs,
    BookBody,
    BookingAction,
    BookingPage,
    BookingResponse,
    CustomerDetails,
    ExtendBody,
    FindBookingsOrderBy,
    Meta,
    ReservationResponse,
    ReserveBody,
    ReserveSlot422Problem,
    ReserveSlot422ProblemCode,
    SlotUnavailableProblem,
)

url, key, room, start, end = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key)
slot = ReserveBody(
    resource_id=room,
    start=datetime.fromisoformat(start),
    end=datetime.fromisoformat(end),
    duration=60,
    what="Haircut",
    where="Main street 1",
    description="Short, please",
)

held = reserve_slot.sync(client=client, body=slot)
assert isinstance(held, ReservationResponse), held

second = reserve_slot.sync(client=client, body=slot)
assert isinstance(second, SlotUnavailableProblem), second

empty = ReserveBody.from_dict(slot.to_dict() | {"end": start})
wrong = reserve_slot.sync(client=client, body=empty)
assert isinstance(wrong, ReserveSlot422Problem), wrong
assert wrong.code is ReserveSlot422ProblemCode.INVALID_FIELDS
assert wrong.errors

longer = extend_reservation.sync(
    client=client, body=ExtendBody(reservation_id=held.data.reservation_id, duration=600)
)
assert isinstance(longer, ReservationResponse), longer

customer = CustomerDetails(name="Ada", email="ada@example.com")
customer["loyalty_card"] = 7
booked = book_slot.sync(
    client=client,
    body=BookBody(
        reservation_id=held.data.reservation_id,
        customer=customer,
        meta=Meta.from_dict({"order_id": "o-1"}),
    ),
    idempotency_key=f"order-{room}",
)
assert isinstance(booked, BookingResponse), booked

cancelled = act_on_booking.sync(
    booking_id=booked.data.id,
    action=BookingAction.CANCEL,
    client=client,
    body=ActionInputs.from_dict({"cancel": {"message": "Ill, sorry"}}),
)
assert isinstance(cancelled, BookingResponse), cancelled

listed = find_bookings.sync(
    client=client, search=[f"resource.id:{room}"], limit=1, order_by=FindBookingsOrderBy.CREATED_AT
)
assert isinstance(listed, BookingPage), listed

print(  # noqa: T201 - for the test that runs this
    json.dumps(
        {
            "problem": second.code,
            "can_retry": (second.retry_after_ms or 0) > 0,
            "wrong": [*wrong.errors.additional_properties],
            "extended": longer.data.expires_at > held.data.expires_at,
            "email": booked.data.customers[0].email,
            "card": booked.data.customers[0]["loyalty_card"],
            "meta": booked.data.meta.to_dict(),
            "actions": booked.data.possible_actions,
            "state": cancelled.data.state,
            "told": cancelled.data.attributes["cancel"].to_dict(),
            "listed": listed.total,
        }
    )
)
