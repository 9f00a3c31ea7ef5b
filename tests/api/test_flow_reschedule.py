"""Rescheduling end to end: HTTP, flow, scripts, a real Redis and SQLite."""

import uuid

import pytest

from tests.api.client import ADA, BOOK, RESERVE, Answer, Http
from tests.builders import DAY

AFTERNOON = {"start": f"{DAY}T14:00:00Z", "end": f"{DAY}T15:00:00Z"}
LATER = {"start": f"{DAY}T10:30:00Z", "end": f"{DAY}T11:30:00Z"}


async def booked(service: Http, **fields: object) -> str:
    """Book the slot, with `fields` changed, and return the booking's id."""
    answer = await service("POST", "/v2/bookings", BOOK | fields)
    assert answer.status == 201, answer.body
    return str(answer.data["id"])


async def reschedule(service: Http, booking_id: str, body: object, **headers: str) -> Answer:
    """Reschedule, as Timekit's client asks for it: with a slash at the end."""
    return await service("POST", f"/v2/bookings/{booking_id}/reschedule/", body, **headers)


@pytest.mark.parametrize("slot", [AFTERNOON, LATER, AFTERNOON | {"resource_id": "room-2"}])
async def test_a_booking_goes_to_another_slot(service: Http, slot: dict[str, str]) -> None:
    """It is the same booking in the same state; its old slot can be reserved."""
    booking_id = await booked(service)
    answer = await reschedule(service, booking_id, slot)
    assert (answer.status, answer.data["id"], answer.data["state"]) == (
        200,
        booking_id,
        "confirmed",
    )
    assert answer.data["event"]["start"] == slot["start"].replace("Z", ".000Z")
    assert answer.data["resource"]["id"] == slot.get("resource_id", "room-1")
    assert (await service("GET", f"/v2/bookings/{booking_id}")).data == answer.data
    taken = await service("POST", "/v2/bookings/reserve", RESERVE | slot)
    morning = {"end": f"{DAY}T10:30:00Z"}
    freed = await service("POST", "/v2/bookings/reserve", RESERVE | morning)
    assert (taken.code, freed.status) == ("slot_unavailable", 201)


async def test_a_taken_slot_is_refused(service: Http) -> None:
    """As by reserve: with when trying again can help, and the booking as it was."""
    booking_id = await booked(service)
    await service("POST", "/v2/bookings/reserve", RESERVE | AFTERNOON)
    answer = await reschedule(service, booking_id, AFTERNOON)
    assert (answer.status, answer.code) == (409, "slot_unavailable")
    assert answer.json["retry_after_ms"] > 0
    again = await service("GET", f"/v2/bookings/{booking_id}")
    assert again.data["event"]["start"] == f"{DAY}T10:00:00.000Z"


async def test_a_key_reschedules_one_booking_once(service: Http) -> None:
    """Repeated it answers the same; for another slot or another booking it is refused."""
    first, second = await booked(service), await booked(service, resource_id="room-2")
    one = await reschedule(service, first, AFTERNOON, Idempotency_Key="k")
    again = await reschedule(service, first, AFTERNOON, Idempotency_Key="k")
    assert (one.status, again.status) == (200, 200)
    assert one.data == again.data
    assert "Idempotent-Replayed" not in one.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    for booking_id, slot in ((first, LATER), (second, AFTERNOON)):
        other = await reschedule(service, booking_id, slot, Idempotency_Key="k")
        assert (other.status, other.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("body", [{}, {"start": "tomorrow"}, {"resource_id": "a b"}, AFTERNOON])
async def test_a_booking_that_stays_where_it_is_says_so_first(
    service: Http, body: dict[str, str]
) -> None:
    """A seat or a cancelled booking is refused as such, whatever slot is asked for."""
    cancelled = await booked(service)
    await service("PUT", f"/v2/bookings/{cancelled}/cancel")
    owner = await booked(service, graph="group_owner", settings={"max_seats": 1})
    seat = {"graph": "group_customer", "related": {"owner_booking_id": owner}, "customer": ADA}
    seated = await service("POST", "/v2/bookings", seat)
    for booking_id in (cancelled, seated.data["id"]):
        refused = await reschedule(service, booking_id, body)
        assert (refused.status, refused.code) == (422, "action_not_allowed")
    open_one = await reschedule(service, owner, body)
    assert open_one.status == (200 if body == AFTERNOON else 422)
    assert open_one.code == (None if body == AFTERNOON else "invalid_fields")


async def test_what_cannot_be_rescheduled_is_told(service: Http) -> None:
    """A booking that is over, one that is not there, a slot that is none."""
    booking_id = await booked(service)
    wrong = await reschedule(service, booking_id, {"start": "tomorrow", "resource_id": "a b"})
    assert set(wrong.json["errors"]) == {"start", "end", "resource_id"}
    await service("PUT", f"/v2/bookings/{booking_id}/cancel")
    over = await reschedule(service, booking_id, AFTERNOON)
    assert (over.status, over.code, over.json["state"]) == (422, "action_not_allowed", "cancelled")
    for nobody in (str(uuid.uuid4()), "1"):
        missing = await reschedule(service, nobody, AFTERNOON)
        assert (missing.status, missing.json["model"]) == (404, "Booking")
