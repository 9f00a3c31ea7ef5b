"""Reservations end to end: HTTP, flow, scripts, a real Redis and SQLite."""

from urllib.parse import urlencode

import pytest
from redis.asyncio import Redis

from reservesvc.domain import times
from reservesvc.domain.times import render
from tests.api.client import ADA, BOOK, RESERVE, Http
from tests.builders import DAY, ROOM, at


async def reserve(service: Http, **fields: object) -> str:
    """Reserve the slot, with `fields` changed, and return the reservation's id."""
    answer = await service("POST", "/v2/bookings/reserve", RESERVE | fields)
    assert answer.status == 201, answer.body
    return str(answer.data["id"])


async def test_a_reservation_is_one_readable_key_and_its_ttl(service: Http, redis: Redis) -> None:
    """Reserving writes the reply's own fields under one key that lives for the duration."""
    answer = await service("POST", "/v2/bookings/reserve", RESERVE | {"duration": 45})
    [key] = await redis.keys("reservation:*")
    assert answer.status == 201
    assert key == f"reservation:{{{ROOM}}}:{answer.data['id'].rpartition('.')[2]}"
    assert 40_000 < await redis.pttl(key) <= 45_000
    assert answer.data["remaining_ms"] == 45_000
    assert answer.data["duration"] == 45
    assert set(answer.data) == {
        "id", "reservation_id", "resource_id", "project_id", "start", "end", "duration",
        "quantity", "what", "where", "description", "customer", "graph", "created_at",
        "expires_at", "remaining_ms", "lifetime_ms", "server_time",
    }  # fmt: skip


async def test_an_extension_moves_the_lifetime_and_leaves_the_duration(
    service: Http, redis: Redis
) -> None:
    """`duration` is what was asked for at first, `lifetime_ms` what holds as of now."""
    made = (await service("POST", "/v2/bookings/reserve", RESERVE | {"duration": 45})).data
    assert (made["duration"], made["lifetime_ms"]) == (45, 45_000)
    body = {"reservation_id": made["id"], "duration": 600}
    extended = (await service("PUT", "/v2/bookings/reserve/extend", body)).data
    assert extended["duration"] == 45
    assert 600_000 <= extended["lifetime_ms"] < 645_000
    created_ms, expires_ms = (times.parse(extended[name]) for name in ("created_at", "expires_at"))
    assert expires_ms is not None
    assert created_ms is not None
    assert extended["lifetime_ms"] == expires_ms - created_ms
    read = (await service("GET", f"/v2/bookings/reserve/{made['id']}")).data
    assert read["lifetime_ms"] == extended["lifetime_ms"]
    [key] = await redis.keys("reservation:*")
    assert "lifetime_ms" not in str(await redis.get(key))


async def test_a_reserved_slot_is_unavailable_for_a_while(service: Http) -> None:
    """The second to ask learns when to try again, in ms and in whole seconds rounded up."""
    await reserve(service, duration=45)
    answer = await service("POST", "/v2/bookings/reserve", RESERVE)
    assert (answer.status, answer.code) == (409, "slot_unavailable")
    retry_after_ms = answer.json["retry_after_ms"]
    assert 40_000 < retry_after_ms <= 45_001
    assert int(answer.headers["Retry-After"]) == -(-retry_after_ms // 1000)
    assert "reserved" in answer.json["error"]


async def test_an_adjacent_slot_is_free(service: Http) -> None:
    """10-11 and 11-12 do not overlap."""
    await reserve(service)
    await reserve(service, start=f"{DAY}T11:00:00Z", end=f"{DAY}T12:00:00Z")


async def test_the_same_key_and_body_make_one_reservation(service: Http) -> None:
    """A repeated request gets the first answer again, and is told so."""
    first = await service("POST", "/v2/bookings/reserve", RESERVE, Idempotency_Key="k")
    again = await service("POST", "/v2/bookings/reserve", RESERVE, Idempotency_Key="k")
    assert (first.status, again.status) == (201, 201)
    assert first.data["id"] == again.data["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_same_key_with_another_body_is_refused(service: Http) -> None:
    """A key stands for one body."""
    await service("POST", "/v2/bookings/reserve", RESERVE, Idempotency_Key="k")
    other = RESERVE | {"what": "Shave"}
    answer = await service("POST", "/v2/bookings/reserve", other, Idempotency_Key="k")
    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


async def test_a_refused_request_pins_nothing(service: Http) -> None:
    """After a 409 the same key reserves, once the slot is free."""
    held = await reserve(service)
    refused = await service("POST", "/v2/bookings/reserve", RESERVE, Idempotency_Key="k")
    await service("DELETE", f"/v2/bookings/reserve/{held}")
    answer = await service("POST", "/v2/bookings/reserve", RESERVE, Idempotency_Key="k")
    assert (refused.status, answer.status) == (409, 201)


async def test_reading_tells_what_is_left(service: Http) -> None:
    """A live reservation reads as it was made, with the time that remains now."""
    reservation_id = await reserve(service, customer=ADA)
    answer = await service("GET", f"/v2/bookings/reserve/{reservation_id}")
    assert answer.status == 200
    assert answer.data["customer"] == ADA
    assert 0 < answer.data["remaining_ms"] <= 30_000


async def test_listing_shows_the_live_ones_by_start(service: Http) -> None:
    """A resource's live reservations come page by page, the earliest first."""
    later = await reserve(service, start=f"{DAY}T11:00:00Z", end=f"{DAY}T12:00:00Z")
    earlier = await reserve(service)
    answer = await service("GET", f"/v2/bookings/reserve?resource_id={ROOM}&limit=1")
    assert [each["id"] for each in answer.data] == [earlier]
    assert answer.json["total"] == 2
    following = await service("GET", answer.json["next_page_url"])
    assert [each["id"] for each in following.data] == [later]
    assert following.json["next_page_url"] is None


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ({}, [10, 12, 14]),
        ({"start": 12}, [12, 14]),
        ({"start": 10.5}, [10, 12, 14]),
        ({"start": 13}, [14]),
        ({"end": 12}, [10]),
        ({"end": 12.5}, [10, 12]),
        ({"start": 11, "end": 14}, [12]),
        ({"start": 14, "end": 11}, []),
        ({"start": 10, "end": 15, "limit": 2}, [10, 12]),
    ],
)
async def test_listing_between_two_times(
    service: Http, query: dict[str, float], hours: list[int]
) -> None:
    """Only what ends after the start and starts before the end is listed and counted."""
    for hour in (14, 10, 12):
        slot = {"start": render(at(hour)), "end": render(at(hour + 1))}
        await service("POST", "/v2/bookings/reserve", RESERVE | slot)
    asked = {name: int(v) if name == "limit" else render(at(v)) for name, v in query.items()}
    path = f"/v2/bookings/reserve?{urlencode({'resource_id': ROOM} | asked)}"
    answer = await service("GET", path)
    assert [each["start"] for each in answer.data] == [render(at(hour)) for hour in hours]
    assert answer.json["total"] == (3 if "limit" in query else len(hours))


async def test_extending_moves_the_deadline(service: Http) -> None:
    """The deadline becomes now plus the duration."""
    reservation_id = await reserve(service)
    body = {"reservation_id": reservation_id, "duration": 600}
    answer = await service("PUT", "/v2/bookings/reserve/extend", body)
    assert answer.status == 200
    assert 590_000 < answer.data["remaining_ms"] <= 600_000


async def test_extending_beyond_the_longest_life_is_refused(service: Http, redis: Redis) -> None:
    """A reservation lives for the longest duration at most, extensions included."""
    reservation_id = await reserve(service)
    # Time must have passed since it was made, or now + the longest duration is its limit.
    before = await redis.time()
    while await redis.time() <= (before[0], before[1] + 2_000):
        pass
    body = {"reservation_id": reservation_id, "duration": 86_400}
    answer = await service("PUT", "/v2/bookings/reserve/extend", body)
    assert (answer.status, answer.code) == (422, "extension_limit")
    assert "duration" in answer.json["errors"]


async def test_releasing_frees_the_slot_and_may_be_repeated(service: Http) -> None:
    """A released slot can be reserved at once; releasing again changes nothing."""
    reservation_id = await reserve(service)
    first = await service("DELETE", f"/v2/bookings/reserve/{reservation_id}")
    again = await service("DELETE", f"/v2/bookings/reserve/{reservation_id}")
    assert (first.status, again.status, first.body) == (204, 204, b"")
    await reserve(service)
    gone = await service("GET", f"/v2/bookings/reserve/{reservation_id}")
    assert (gone.status, gone.code) == (410, "reservation_ended")
    assert gone.json["state"] == "released"
    assert gone.json["ended_at"].endswith("Z")


async def test_a_deleted_key_frees_the_slot(service: Http, redis: Redis) -> None:
    """An operator's DEL ends the reservation, and every call says so from then on."""
    reservation_id = await reserve(service)
    await redis.delete(*await redis.keys("reservation:*"))
    body = {"reservation_id": reservation_id, "duration": 60}
    extended = await service("PUT", "/v2/bookings/reserve/extend", body)
    assert (extended.status, extended.json["state"]) == (410, "expired")
    await reserve(service)


async def test_a_converted_reservation_names_its_booking(service: Http) -> None:
    """Reading, extending and releasing what became a booking answer 410 with its id."""
    reservation_id = await reserve(service)
    booked = await service(
        "POST", "/v2/bookings", {"reservation_id": reservation_id, "customer": ADA}
    )
    read = await service("GET", f"/v2/bookings/reserve/{reservation_id}")
    released = await service("DELETE", f"/v2/bookings/reserve/{reservation_id}")
    body = {"reservation_id": reservation_id, "duration": 60}
    extended = await service("PUT", "/v2/bookings/reserve/extend", body)
    for answer in (read, released, extended):
        assert (answer.status, answer.json["state"]) == (410, "converted")
        assert answer.json["booking_id"] == booked.data["id"]


async def test_a_slot_long_past_is_refused(service: Http) -> None:
    """The service looks back a year, and says from when on."""
    past = {"start": "2001-01-01T10:00:00Z", "end": "2001-01-01T11:00:00Z"}
    answer = await service("POST", "/v2/bookings/reserve", RESERVE | past)
    assert (answer.status, answer.code) == (422, "slot_too_old")
    assert "end" in answer.json["errors"]


async def test_a_booked_slot_gives_no_time_to_retry(service: Http) -> None:
    """Behind a booking there is nothing to wait for."""
    await service("POST", "/v2/bookings", BOOK)
    answer = await service("POST", "/v2/bookings/reserve", RESERVE)
    assert (answer.status, answer.code) == (409, "slot_unavailable")
    assert "retry_after_ms" not in answer.json
    assert "Retry-After" not in answer.headers
