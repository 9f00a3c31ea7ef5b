"""The npm package timekit-sdk 1.19.8 against a server, as an integration of today uses it.

It writes the keys of bodies in snake_case: `resourceId` here arrives as `resource_id`.
"""

from tests.e2e.ordinary import ADA, ELEVEN, LATER, TEN, TEXTS, act, booked, offered, slot
from tests.e2e.sdk import Sdk


def test_reserve_extend_and_hand_off(sdk: Sdk, room: str) -> None:
    """A slot is held, held longer, and booked; the repeat is the same booking."""
    held = sdk("reserveBooking", slot(room, duration=60))
    assert (held.status, held.data["resource_id"], held.data["duration"]) == (201, room, 60)
    named = {"reservationId": held.data["reservation_id"]}
    longer = sdk("extendReservedBooking", named | {"duration": 600})
    assert longer.status == 200
    assert longer.data["expires_at"] > held.data["expires_at"]
    first = sdk("createBooking", named | {"customer": ADA})
    again = sdk("createBooking", named | {"customer": ADA})
    assert (first.status, again.status) == (201, 200)
    assert first.data["id"] == again.data["id"]
    assert first.data["state"] == "confirmed"
    assert first.data["attributes"]["event_info"] == {"start": TEN, "end": ELEVEN} | TEXTS


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
    customer = ADA | {"favouriteColour": "green"}
    made = sdk("createBooking", slot(room, customer=customer, meta={"orderNumber": 7}))
    assert made.data["meta"] == {"order_number": 7}
    assert made.data["customers"][0]["favourite_colour"] == "green"


def test_list_and_search(sdk: Sdk, room: str) -> None:
    """Search pairs narrow the list, whose paging is beside it."""
    first = booked(sdk, room)
    second = booked(sdk, room, **LATER)
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


def test_availability(sdk: Sdk, room: str) -> None:
    """A slot that is held is not offered, and is offered again once it is given back."""
    held = sdk("reserveBooking", slot(room)).data
    assert offered(sdk, room) == [ELEVEN]
    path = f"/bookings/reserve/{held['reservation_id']}"
    assert sdk("makeRequest", {"method": "delete", "url": path}).status == 204
    assert offered(sdk, room) == [TEN, ELEVEN]


def test_an_older_integration(sdk: Sdk, room: str) -> None:
    """Times and texts inside `event`, and `action: "create"`, book as they always did."""
    event = {"start": TEN, "end": ELEVEN} | TEXTS
    body = {"graph": "instant", "action": "create", "resource_id": room, "event": event}
    made = sdk("createBooking", body | {"customer": ADA})
    assert (made.status, made.data["event"]) == (201, event)


def test_what_is_not_here_says_so(sdk: Sdk) -> None:
    """Calls for what this service does not do are refused with a status of HTTP's."""
    assert sdk("getCalendars").status == 404
    assert sdk("createBookingsBulk", []).status == 405
