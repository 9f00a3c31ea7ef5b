"""Slots that are too far ahead, end to end: HTTP, flow, scripts, a real Redis and SQLite."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reservesvc.domain import times
from reservesvc.domain.wish import Limits
from reservesvc.ids import RandomIds
from reservesvc.ports import Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.api.client import BOOK, RESERVE, Answer, Http
from tests.builders import HOUR_MS, a_booking, a_claim, at
from tests.servers import RedisServer

LAST = {"start": "9999-12-31T23:00:00Z", "end": "9999-12-31T23:30:00Z"}
"""the last slot of the calendar; an hour after its end there is no date any more"""
AHEAD_MS = Limits().ahead_s_max * 1000


def slot(end_ms: int) -> dict[str, str]:
    """Return the hour that ends at `end_ms`."""
    return {"start": times.render(end_ms - HOUR_MS), "end": times.render(end_ms)}


def now_ms() -> int:
    """Return the time."""
    return time.time_ns() // 1_000_000


def is_too_far(answer: Answer) -> bool:
    """Tell whether the answer is the refusal, with the field and the limit in words."""
    if (answer.status, answer.code) != (422, "slot_too_far"):
        return False
    [message] = answer.json["errors"]["end"]
    limit_ms = times.parse(message.removeprefix("end must be no later than "))
    return limit_ms is not None and abs(limit_ms - now_ms() - AHEAD_MS) < 60_000


@pytest.fixture
async def unlimited(redis_server: RedisServer) -> AsyncIterator[RedisReservations]:
    """Give the reservations of a server without the limit, such as an earlier version."""
    pipeline = Pipeline(redis_server.url, deadline_s=2)
    never_ms = times.parse("9999-12-31T23:59:59Z") or 0
    yield RedisReservations(pipeline, Keys(), RandomIds(), Times(ahead_ms=never_ms))
    await pipeline.close()


@pytest.mark.parametrize("path", ["/v2/bookings/reserve", "/v2/bookings"])
async def test_a_slot_too_far_ahead_is_neither_reserved_nor_booked(
    service: Http, path: str
) -> None:
    """422 with the limit, and nothing is stored: lists answer as before."""
    body = RESERVE if path.endswith("reserve") else BOOK
    assert is_too_far(await service("POST", path, body | LAST))
    assert is_too_far(await service("POST", path, body | slot(now_ms() + AHEAD_MS + 60_000)))
    bookings = await service("GET", "/v2/bookings")
    live = await service("GET", f"/v2/bookings/reserve?resource_id={RESERVE['resource_id']}")
    assert (bookings.status, live.status) == (200, 200)
    assert bookings.data == live.data == []


@pytest.mark.parametrize("path", ["/v2/bookings/reserve", "/v2/bookings"])
async def test_the_last_slot_within_the_limit_is_had(service: Http, path: str) -> None:
    """The end of the slot decides, not its start."""
    answer = await service("POST", path, BOOK | slot(now_ms() + AHEAD_MS - 1_000))
    assert answer.status == 201, answer.body


async def test_a_booking_is_not_rescheduled_too_far_ahead(service: Http) -> None:
    """422, and the booking stays where it is."""
    booked = (await service("POST", "/v2/bookings", BOOK)).data
    path = f"/v2/bookings/{booked['id']}"
    assert is_too_far(await service("POST", f"{path}/reschedule", LAST))
    assert (await service("GET", path)).data == booked


async def test_an_independent_item_too_far_ahead_fails_alone(service: Http) -> None:
    """Its place has the problem; the other item is held."""
    items = [RESERVE | LAST, RESERVE]
    body: dict[str, Any] = {"mode": "independent", "reservations": items}
    answer = await service("POST", "/v2/bookings/reserve/batch", body)
    far, near = answer.data
    assert (far["status"], far["problem"]["code"], near["status"]) == (422, "slot_too_far", 201)


async def test_a_cart_with_an_item_too_far_ahead_holds_nothing(service: Http) -> None:
    """422 with the number of the item, and the other item's slot is free."""
    items = [RESERVE, RESERVE | LAST]
    body: dict[str, Any] = {"mode": "all_or_nothing", "reservations": items}
    answer = await service("POST", "/v2/bookings/reserve/batch", body)
    assert is_too_far(answer)
    assert answer.json["item"] == 1
    assert (await service("POST", "/v2/bookings/reserve", RESERVE)).status == 201


async def test_confirming_does_not_take_a_slot_too_far_ahead(service: Http, stores: Stores) -> None:
    """A tentative booking that an earlier version stored claims its slot under today's limit."""
    end_ms = now_ms() + AHEAD_MS + HOUR_MS
    booking = a_booking(
        graph="confirm_decline", state="tentative", start_ms=end_ms - HOUR_MS, end_ms=end_ms
    )
    snapshot = await stores.bookings.snapshot(booking.resource_id, 0)
    await stores.bookings.book(booking, snapshot.fence, None)
    assert is_too_far(await service("PUT", f"/v2/bookings/{booking.id}/confirm"))
    assert (await service("GET", f"/v2/bookings/{booking.id}")).data["state"] == "tentative"


async def test_a_reservation_too_far_ahead_can_still_be_handed_off(
    service: Http, stores: Stores, unlimited: RedisReservations
) -> None:
    """What is held is booked, even where the limit has been lowered meanwhile."""
    hours = (now_ms() + AHEAD_MS - at(0)) / HOUR_MS + 24
    claim = a_claim(hours, hours + 1)
    await service("POST", "/v2/bookings/reserve", RESERVE)  # makes the resource's index warm
    held = await unlimited.reserve(claim, 1, None)
    body = {"reservation_id": str(claim.id), "customer": BOOK["customer"]}
    answer = await service("POST", "/v2/bookings", body)
    assert answer.status == 201, (held, answer.body)
    assert await stores.bookings.booking(answer.data["id"]) is not None
