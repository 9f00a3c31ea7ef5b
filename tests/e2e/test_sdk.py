"""The npm package timekit-sdk 1.19.8 against a server, as an integration of today uses it.

It writes the keys of bodies in snake_case: `resourceId` here arrives as `resource_id`.
"""

from typing import Any

from tests.e2e.sdk import Sdk, Shown

_TEN, _ELEVEN, _NOON = (f"2030-06-03T{hour}:00:00.000Z" for hour in (10, 11, 12))
_TEXTS = {"what": "Haircut", "where": "Main street 1", "description": "Short, please"}
_ADA = {"name": "Ada", "email": "ada@example.com"}
_LATER = {"start": _ELEVEN, "end": _NOON}


def slot(room: str, **more: Any) -> dict[str, Any]:
    """Return what asks for the room from ten to eleven."""
    return {"resourceId": room, "start": _TEN, "end": _ELEVEN} | _TEXTS | more


def booked(sdk: Sdk, room: str, **more: Any) -> Any:
    """Book the room directly; return the booking."""
    made = sdk("createBooking", slot(room, customer=_ADA, **more))
    assert (made.rejected, made.status) == (False, 201)
    return made.data


def act(sdk: Sdk, booking: Any, action: str, **inputs: Any) -> Shown:
    """Take an action on the booking."""
    return sdk("updateBooking", {"id": booking["id"], "action": action} | inputs)


def starts(offered: Shown) -> list[str]:
    """Return when the slots on offer start."""
    return [one["start"] for one in offered.data]


def test_reserve_extend_and_hand_off(sdk: Sdk, room: str) -> None:
    """A slot is held, held longer, and booked; the repeat is the same booking."""
    held = sdk("reserveBooking", slot(room, duration=60))
    assert (held.status, held.data["resource_id"], held.data["duration"]) == (201, room, 60)
    named = {"reservationId": held.data["reservation_id"]}
    longer = sdk("extendReservedBooking", named | {"duration": 600})
    assert longer.status == 200
    assert longer.data["expires_at"] > held.data["expires_at"]
    first = sdk("createBooking", named | {"customer": _ADA})
    again = sdk("createBooking", named | {"customer": _ADA})
    assert (first.status, again.status) == (201, 200)
    assert first.data["id"] == again.data["id"]
    assert first.data["state"] == "confirmed"
    assert first.data["attributes"]["event_info"] == {"start": _TEN, "end": _ELEVEN} | _TEXTS


def test_a_refusal_is_shown_with_its_sentence(sdk: Sdk, room: str) -> None:
    """Whoever comes second gets the 409 as a rejection, with a sentence to show and a code."""
    sdk("reserveBooking", slot(room))
    refused = sdk("reserveBooking", slot(room))
    assert (refused.rejected, refused.status) == (True, 409)
    assert refused.data["error"].startswith("The slot is reserved; choose another one")
    assert refused.data["code"] == "slot_unavailable"


def test_what_is_wrong_is_named_by_field(sdk: Sdk, room: str) -> None:
    """A body with mistakes is a 422 whose `errors` name each of them."""
    refused = sdk("reserveBooking", slot(room, start="tomorrow", duration="long"))
    assert (refused.rejected, refused.status) == (True, 422)
    assert refused.data["errors"].keys() == {"start", "duration"}


def test_keys_arrive_in_snake_case(sdk: Sdk, room: str) -> None:
    """What the SDK does to the keys of `meta` and `customer` is what is kept."""
    customer = _ADA | {"favouriteColour": "green"}
    made = sdk("createBooking", slot(room, customer=customer, meta={"orderNumber": 7}))
    assert made.data["meta"] == {"order_number": 7}
    assert made.data["customers"][0]["favourite_colour"] == "green"


def test_list_and_search(sdk: Sdk, room: str) -> None:
    """Search pairs narrow the list, whose paging is beside it."""
    first = booked(sdk, room)
    second = booked(sdk, room, **_LATER)
    act(sdk, first, "cancel")
    params = {"search": f"resource.id:{room};state:confirmed"}
    found = sdk("getBookings", params=params, include=["attributes", "event", "user"])
    assert [booking["id"] for booking in found.data] == [second["id"]]
    assert found.meta is not None
    assert (found.meta["total"], found.meta["current_page"]) == (1, 1)
    everything = sdk("getBookings", params={"search": f"resource.id:{room}", "limit": 1})
    assert everything.meta is not None
    assert (len(everything.data), everything.meta["total"]) == (1, 2)


def test_read_one(sdk: Sdk, room: str) -> None:
    """A booking is read by its id; an unknown id is a 404."""
    booking = booked(sdk, room)
    assert sdk("getBooking", {"id": booking["id"]}).data == booking
    missing = sdk("getBooking", {"id": "00000000-0000-4000-8000-000000000000"})
    assert (missing.rejected, missing.status) == (True, 404)
    assert missing.data["error"]


def test_cancel(sdk: Sdk, room: str) -> None:
    """A cancelled booking gives its slot back; an action that is not open names those that are."""
    booking = booked(sdk, room)
    cancelled = act(sdk, booking, "cancel", cancel={"message": "Rain"})
    assert (cancelled.status, cancelled.data["state"]) == (200, "cancelled")
    refused = act(sdk, booking, "cancel")
    assert (refused.rejected, refused.status) == (True, 422)
    assert refused.data["code"] == "action_not_allowed"
    assert booked(sdk, room)["state"] == "confirmed"


def test_availability(sdk: Sdk, room: str) -> None:
    """A slot that is held is not offered, and is offered again once it is given back."""
    held = sdk("reserveBooking", slot(room)).data
    wanted = {"resources": [room], "from": _TEN, "to": _NOON, "length": "1 hour"}
    offered = sdk("fetchAvailability", wanted)
    assert (offered.status, starts(offered)) == (200, [_ELEVEN])
    assert offered.data[0]["resources"][0]["id"] == room
    path = f"/bookings/reserve/{held['reservation_id']}"
    assert sdk("makeRequest", {"method": "delete", "url": path}).status == 204
    assert starts(sdk("fetchAvailability", wanted)) == [_TEN, _ELEVEN]


def test_an_older_integration(sdk: Sdk, room: str) -> None:
    """Times and texts inside `event`, and `action: "create"`, book as they always did."""
    event = {"start": _TEN, "end": _ELEVEN} | _TEXTS
    body = {"graph": "instant", "action": "create", "resource_id": room, "event": event}
    made = sdk("createBooking", body | {"customer": _ADA})
    assert (made.status, made.data["event"]) == (201, event)
