"""Bookings end to end: HTTP, flow, scripts, a real Redis and SQLite."""

import asyncio

import pytest
from redis.asyncio import Redis

from tests.api.client import ADA, BOOK, RESERVE, Answer, Http
from tests.builders import DAY


async def reserve(service: Http, **fields: object) -> str:
    """Reserve the slot, with `fields` changed, and return the reservation's id."""
    answer = await service("POST", "/v2/bookings/reserve", RESERVE | fields)
    assert answer.status == 201, answer.body
    return str(answer.data["id"])


async def hand_off(service: Http, reservation_id: str, **fields: object) -> Answer:
    """Hand the reservation off to Ada."""
    body = {"reservation_id": reservation_id, "customer": ADA, **fields}
    return await service("POST", "/v2/bookings", body)


async def test_a_hand_off_makes_a_booking_of_the_reservation(service: Http, redis: Redis) -> None:
    """The booking has the reservation's fields and slot, and the reservation's key is gone."""
    reservation_id = await reserve(service)
    answer = await hand_off(service, reservation_id, meta={"table": 7})
    booking = answer.data
    assert answer.status == 201
    assert await redis.keys("reservation:*") == []
    assert booking["reservation_id"] == reservation_id
    assert (booking["state"], booking["graph"], booking["completed"]) == (
        "confirmed",
        "instant",
        False,
    )
    assert booking["possible_actions"] == booking["available_actions"]
    assert "cancel" in booking["possible_actions"]
    assert booking["attributes"]["event_info"] == booking["event"]
    assert booking["event"] == {
        "start": f"{DAY}T10:00:00.000Z",
        "end": f"{DAY}T11:00:00.000Z",
        "what": "Haircut",
        "where": "Main street 1",
        "description": "Short",
    }
    assert booking["customers"] == [{"id": booking["customers"][0]["id"], **ADA}]
    assert booking["resource"] == {"id": "room-1", "name": "room-1", "timezone": "UTC"}
    assert booking["meta"] == {"table": 7}


async def test_a_repeated_hand_off_answers_with_the_same_booking(service: Http) -> None:
    """The second hand-off is a 200 with the first one's booking."""
    reservation_id = await reserve(service)
    first = await hand_off(service, reservation_id)
    again = await hand_off(service, reservation_id)
    assert (first.status, again.status) == (201, 200)
    assert first.data == again.data


async def test_hand_offs_at_the_same_time_make_one_booking(service: Http) -> None:
    """However many arrive at once: one booking, one 201, the same answer to all."""
    reservation_id = await reserve(service)
    answers = await asyncio.gather(*(hand_off(service, reservation_id) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.data["id"] for answer in answers}) == 1


async def test_a_hand_off_that_disagrees_is_refused(service: Http) -> None:
    """A repeated field must be the reservation's; the answer names those that are not."""
    reservation_id = await reserve(service)
    answer = await hand_off(service, reservation_id, resource_id="room-2", end=f"{DAY}T12:00:00Z")
    assert (answer.status, answer.code) == (422, "reservation_mismatch")
    assert set(answer.json["errors"]) == {"resource_id", "end"}
    assert (await hand_off(service, reservation_id, resource_id="room-1")).status == 201


async def test_a_hand_off_needs_a_customer(service: Http) -> None:
    """Name and email may come from the reservation or with the hand-off, but must come."""
    reservation_id = await reserve(service, customer={"name": "Ada"})
    refused = await service("POST", "/v2/bookings", {"reservation_id": reservation_id})
    assert (refused.status, refused.code) == (422, "invalid_fields")
    assert list(refused.json["errors"]) == ["customer.email"]
    body = {"reservation_id": reservation_id, "customer": {"email": ADA["email"]}}
    booked = await service("POST", "/v2/bookings", body)
    assert booked.status == 201
    assert booked.data["customers"][0]["name"] == "Ada"


async def test_a_hand_off_of_an_ended_reservation_is_gone(service: Http) -> None:
    """After a release there is nothing to hand off."""
    reservation_id = await reserve(service)
    await service("DELETE", f"/v2/bookings/reserve/{reservation_id}")
    answer = await hand_off(service, reservation_id)
    assert (answer.status, answer.json["state"]) == (410, "released")


async def test_a_direct_booking_takes_a_free_slot_only(service: Http) -> None:
    """A slot is booked once; a reserved one not at all."""
    first = await service("POST", "/v2/bookings", BOOK)
    again = await service("POST", "/v2/bookings", BOOK)
    assert (first.status, again.status, again.code) == (201, 409, "slot_unavailable")
    evening = {"start": f"{DAY}T20:00:00Z", "end": f"{DAY}T21:00:00Z"}
    await reserve(service, **evening)
    reserved = await service("POST", "/v2/bookings", BOOK | evening)
    assert (reserved.status, reserved.code) == (409, "slot_unavailable")


async def test_a_direct_booking_is_replayed_by_its_key(service: Http) -> None:
    """The same key and body give the first answer again; another body is refused."""
    first = await service("POST", "/v2/bookings", BOOK, Idempotency_Key="k")
    again = await service("POST", "/v2/bookings", BOOK, Idempotency_Key="k")
    other = await service("POST", "/v2/bookings", BOOK | {"what": "Shave"}, Idempotency_Key="k")
    assert (first.status, again.status) == (201, 201)
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_the_legacy_event_form_books_the_same(service: Http) -> None:
    """Old integrations nest slot and texts in `event`, and send an action along."""
    event = {name: BOOK[name] for name in ("start", "end", "what", "where", "description")}
    body = {"resource_id": "room-1", "event": event, "customer": ADA, "action": "create"}
    answer = await service("POST", "/v2/bookings", body)
    assert answer.status == 201
    assert answer.data["event"]["what"] == "Haircut"


async def test_another_graph_is_refused_and_the_known_ones_are_named(service: Http) -> None:
    """Only what is there can be asked for."""
    answer = await service("POST", "/v2/bookings", BOOK | {"graph": "circle"})
    assert (answer.status, answer.code) == (422, "invalid_fields")
    assert "instant" in answer.json["errors"]["graph"][0]


async def test_cancelling_frees_the_slot_at_once(service: Http) -> None:
    """A cancelled booking is final, and its slot can be booked again."""
    booked = await service("POST", "/v2/bookings", BOOK)
    path = f"/v2/bookings/{booked.data['id']}"
    cancelled = await service("PUT", f"{path}/cancel", {"cancel": {"message": "ill"}})
    assert (cancelled.status, cancelled.data["state"]) == (200, "cancelled")
    assert (cancelled.data["completed"], cancelled.data["possible_actions"]) == (True, [])
    assert (await service("GET", path)).data["state"] == "cancelled"
    assert (await service("POST", "/v2/bookings", BOOK)).status == 201


@pytest.mark.parametrize("action", ["confirm", "cancel"])
async def test_an_action_that_is_not_open_names_the_open_ones(service: Http, action: str) -> None:
    """What cannot be done now is refused, with what can be."""
    booked = await service("POST", "/v2/bookings", BOOK)
    path = f"/v2/bookings/{booked.data['id']}"
    if action == "cancel":
        await service("PUT", f"{path}/complete")
    answer = await service("PUT", f"{path}/{action}")
    assert (answer.status, answer.code) == (422, "action_not_allowed")
    expected = [] if action == "cancel" else booked.data["possible_actions"]
    assert answer.json["possible_actions"] == expected


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=resource.id:room-1", 2),
        ("search=resource.id:room-1;state:cancelled", 1),
        ("search=resource.id:room-1%3Bstate:confirmed", 1),
        ("search=customer.email:ada@example.com", 3),
        ("search=customer.email:nobody@example.com", 0),
        ("search=customer.email:Ada@Example.com", 3),
        ("search=meta.table:7", 1),
        ("search=meta.note:%22a;%20%22%22b%22%22%22", 1),
        ("search=resource.id:room-1&search=state:cancelled", 1),
        ("search=reservation_id:room-1.01HZZZZZZZZZZZZZZZZZZZZZZZ", 0),
        ("search=graph:instant", 3),
        (f"start={DAY}T11:00:00Z", 1),
        (f"end={DAY}T11:00:00%2B01:00", 0),
        (f"end={DAY}T11:30:00+01:00", 2),
    ],
)
async def test_searching_bookings(service: Http, query: str, found: int) -> None:
    """Every condition narrows the list; all of them must hold."""
    first = await service("POST", "/v2/bookings", BOOK)
    await service("PUT", f"/v2/bookings/{first.data['id']}/cancel")
    await service("POST", "/v2/bookings", BOOK | {"meta": {"table": 7, "note": 'a; "b"'}})
    later = {"start": f"{DAY}T11:00:00Z", "end": f"{DAY}T12:00:00Z"}
    await service("POST", "/v2/bookings", BOOK | later | {"resource_id": "room-2"})
    answer = await service("GET", f"/v2/bookings?{query}")
    assert (answer.status, answer.json["total"]) == (200, found)
    assert len(answer.data) == found


async def test_a_booking_is_found_by_its_reservation(service: Http) -> None:
    """Who kept the id of the reservation alone finds what became of it."""
    held = await reserve(service)
    booked = await service("POST", "/v2/bookings", {"reservation_id": held, "customer": ADA})
    answer = await service("GET", f"/v2/bookings?search=reservation_id:{held}")
    assert [each["id"] for each in answer.data] == [booked.data["id"]]


async def test_bookings_are_paged_in_order(service: Http) -> None:
    """Following `next_page_url` shows every booking once, in the order asked for."""
    for hour in (12, 10, 11):
        slot = {"start": f"{DAY}T{hour}:00:00Z", "end": f"{DAY}T{hour + 1}:00:00Z"}
        await service("POST", "/v2/bookings", BOOK | slot)
    url, hours = "/v2/bookings?orderBy=start&sortedBy=asc&limit=2", []
    while url:
        answer = await service("GET", url)
        hours += [each["event"]["start"][11:13] for each in answer.data]
        url = answer.json["next_page_url"]
    assert hours == ["10", "11", "12"]


async def test_a_flushed_redis_gives_no_booked_slot_away(service: Http, redis: Redis) -> None:
    """With Redis emptied, the booking store still knows what is booked."""
    booked = await service("POST", "/v2/bookings", BOOK)
    await redis.flushall()
    reserved = await service("POST", "/v2/bookings/reserve", RESERVE)
    again = await service("POST", "/v2/bookings", BOOK)
    assert (reserved.code, again.code) == ("slot_unavailable", "slot_unavailable")
    await service("PUT", f"/v2/bookings/{booked.data['id']}/cancel")
    assert (await service("POST", "/v2/bookings/reserve", RESERVE)).status == 201
