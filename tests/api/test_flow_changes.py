"""New meta for a booking, and deleting one, end to end."""

import uuid

import pytest

from reservesvc.ports import Stores
from tests.api.client import BOOK, Http
from tests.builders import YEARS_AGO, a_booking, a_claim

NOBODY = str(uuid.uuid4())


async def booked(service: Http, **fields: object) -> str:
    """Book the slot and return the booking's path."""
    answer = await service("POST", "/v2/bookings", BOOK | fields)
    assert answer.status == 201, answer.body
    return f"/v2/bookings/{answer.data['id']}"


async def test_meta_is_replaced_and_can_be_searched(service: Http) -> None:
    """The whole object; the booking is the answer."""
    path = await booked(service, meta={"table": 7, "seen": True})
    answer = await service("PUT", path, {"meta": {"table": 8}, "what": "ignored"})
    assert (answer.status, answer.data["meta"]) == (200, {"table": 8})
    assert answer.data["event"]["what"] == BOOK["what"]
    assert (await service("GET", path)).data == answer.data
    for search, found in (("meta.table:8", 1), ("meta.table:7", 0), ("meta.seen:true", 0)):
        listed = await service("GET", f"/v2/bookings?search={search}")
        assert listed.json["total"] == found


@pytest.mark.parametrize(
    ("body", "rule"),
    [({}, "is required"), ({"meta": None}, "is required"), ({"meta": [1]}, "must be an object")],
)
async def test_without_meta_there_is_nothing_to_update(
    service: Http, body: object, rule: str
) -> None:
    """The one field that can be updated has to be there."""
    answer = await service("PUT", await booked(service), body)
    assert (answer.status, answer.code) == (422, "invalid_fields")
    assert rule in answer.json["errors"]["meta"][0]


async def test_a_booking_that_is_not_over_is_not_deleted(service: Http) -> None:
    """The answer names the actions that end it, and it stays."""
    path = await booked(service)
    answer = await service("DELETE", path)
    assert (answer.status, answer.code) == (422, "booking_not_final")
    assert "cancel" in answer.json["possible_actions"]
    assert (await service("GET", path)).status == 200


@pytest.mark.parametrize("action", ["cancel", "complete"])
async def test_a_booking_that_is_over_is_deleted(service: Http, action: str) -> None:
    """It is gone, and its slot is free, also the one that a completed booking kept."""
    path = await booked(service)
    await service("PUT", f"{path}/{action}")
    assert (await service("DELETE", path)).status == 204
    assert (await service("GET", path)).status == 404
    assert (await service("DELETE", path)).json["model"] == "Booking"
    assert (await service("POST", "/v2/bookings/reserve", BOOK)).status == 201


async def test_what_is_not_there_is_not_found(service: Http) -> None:
    """With Timekit's words for it."""
    for path in (f"/v2/bookings/{NOBODY}", "/v2/bookings/1"):
        for method, body in (("PUT", {"meta": {}}), ("DELETE", None)):
            answer = await service(method, path, body)
            assert (answer.status, answer.json["error"]) == (404, "Resource does not exist")


async def test_a_booking_of_long_ago_is_deleted(service: Http, stores: Stores) -> None:
    """It is further back than any index reaches, and keeps its slot all the same."""
    old = a_booking(a_claim(YEARS_AGO, YEARS_AGO + 1), state="completed")
    await stores.bookings.book(old, 0, None)
    assert (await service("DELETE", f"/v2/bookings/{old.id}")).status == 204
    assert await stores.bookings.booking(old.id) is None
