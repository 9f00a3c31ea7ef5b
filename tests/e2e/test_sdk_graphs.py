"""The lives of bookings, as the npm package timekit-sdk 1.19.8 leads them."""

from tests.e2e.ordinary import ADA, ELEVEN, TEN, act, booked, offered, slot
from tests.e2e.sdk import Sdk


def test_confirm_and_decline(sdk: Sdk, room: str) -> None:
    """Of two who ask for a slot, one is confirmed; the other can only be declined."""
    first, second = (booked(sdk, room, graph="confirm_decline") for _ in range(2))
    assert (first["state"], second["state"]) == ("tentative", "tentative")
    assert offered(sdk, room) == [TEN, ELEVEN]
    confirmed = act(sdk, first, "confirm")
    assert (confirmed.status, confirmed.data["state"]) == (200, "confirmed")
    assert offered(sdk, room) == [ELEVEN]
    refused = act(sdk, second, "confirm")
    assert (refused.rejected, refused.status) == (True, 409)
    assert refused.data["code"] == "slot_unavailable"
    declined = act(sdk, second, "decline", decline={"message": "Somebody was quicker"})
    assert (declined.status, declined.data["state"]) == (200, "declined")


def test_what_was_reserved_waits_for_its_confirmation(sdk: Sdk, room: str) -> None:
    """A reservation handed off keeps its slot until it is declined."""
    held = sdk("reserveBooking", slot(room, graph="confirm_decline")).data
    body = {"reservationId": held["reservation_id"], "customer": ADA}
    booking = sdk("createBooking", body).data
    assert (booking["state"], offered(sdk, room)) == ("tentative", [ELEVEN])
    assert act(sdk, booking, "decline").data["state"] == "declined"
    assert offered(sdk, room) == [TEN, ELEVEN]


def test_pay(sdk: Sdk, room: str) -> None:
    """A booking that waits for its payment is paid."""
    booking = booked(sdk, room, graph="instant_payment")
    assert (booking["state"], offered(sdk, room)) == ("tentative", [ELEVEN])
    paid = act(sdk, booking, "pay", pay={"paymentId": "p-1"})
    assert (paid.status, paid.data["state"]) == (200, "paid")


def test_a_group_has_so_many_seats(sdk: Sdk, room: str) -> None:
    """Customers take the seats of the owner's booking; who finds none is refused."""
    wanted = slot(room, graph="group_owner", settings={"maxSeats": 1})
    owner = sdk("createBooking", wanted)
    assert (owner.status, offered(sdk, room)) == (201, [ELEVEN])
    related = {"ownerBookingId": owner.data["id"]}
    seat = {"graph": "group_customer", "related": related, "customer": ADA}
    taken, refused = sdk("createBooking", seat), sdk("createBooking", seat)
    assert (taken.status, taken.data["state"]) == (201, "confirmed")
    assert (refused.rejected, refused.status) == (True, 409)
    assert refused.data["code"] == "seat_unavailable"
