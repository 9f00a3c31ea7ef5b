"""What the npm package timekit-sdk 1.19.8 does to bookings once they are made."""

from tests.e2e.ordinary import ELEVEN, LATER, NOON, TEN, act, booked, offered
from tests.e2e.sdk import Sdk


def test_cancel(sdk: Sdk, room: str) -> None:
    """A cancelled booking gives its slot back; an action that is not open names those that are."""
    booking = booked(sdk, room)
    cancelled = act(sdk, booking, "cancel", cancel={"message": "Rain"})
    assert (cancelled.status, cancelled.data["state"]) == (200, "cancelled")
    refused = act(sdk, booking, "cancel")
    assert (refused.rejected, refused.status) == (True, 422)
    assert refused.data["code"] == "action_not_allowed"
    assert booked(sdk, room)["state"] == "confirmed"


def test_reschedule(sdk: Sdk, room: str) -> None:
    """A booking goes to another slot, and its old one is free; a taken one is refused."""
    booking = booked(sdk, room)
    moved = sdk("rescheduleBooking", {"id": booking["id"]} | LATER)
    assert (moved.status, moved.data["id"]) == (200, booking["id"])
    assert (moved.data["event"]["start"], moved.data["event"]["end"]) == (ELEVEN, NOON)
    assert offered(sdk, room) == [TEN]
    other = booked(sdk, room)
    refused = sdk("rescheduleBooking", {"id": other["id"]} | LATER)
    assert (refused.rejected, refused.status) == (True, 409)
    assert refused.data["error"].startswith("The slot is booked")
    assert offered(sdk, room) == []


def test_new_meta(sdk: Sdk, room: str) -> None:
    """The SDK has no method of its own for it; a request made with it replaces `meta`."""
    booking = booked(sdk, room, meta={"a": 1})
    path, data = f"/bookings/{booking['id']}", {"meta": {"b": 2}}
    changed = sdk("makeRequest", {"method": "put", "url": path, "data": data})
    assert (changed.status, changed.data["meta"]) == (200, {"b": 2})


def test_delete(sdk: Sdk, room: str) -> None:
    """A booking that is over is deleted; one that is not is kept."""
    booking = booked(sdk, room)
    named = {"id": booking["id"]}
    refused = sdk("deleteBooking", dict(named))
    assert (refused.rejected, refused.status) == (True, 422)
    assert act(sdk, booking, "cancel").status == 200
    assert sdk("deleteBooking", dict(named)).status == 204
    assert sdk("getBooking", named).status == 404
