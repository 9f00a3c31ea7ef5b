"""Which slots a search finds, over HTTP: on the grid of the resource's own clock."""

import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reservesvc.domain import times
from reservesvc.domain.zones import DAY_MS, HOUR_MS, stretches
from tests.api.client import RESERVE, Http
from tests.builders import ROOM, at


async def starts(service: Http, **search: Any) -> list[str]:
    """Return when slots begin, as the search's `output_timezone` has it."""
    body = {"resources": [ROOM], "round_to_nearest_hour": False} | search
    answer = await service("POST", "/v2/availability", body)
    assert answer.status == 200, answer.body
    return [slot["start"] for slot in answer.data]


async def located(service: Http, zone: str) -> None:
    """Register the room in a time zone."""
    body = {"id": ROOM, "name": "Room", "timezone": zone}
    assert (await service("POST", "/v2/resources", body)).status == 201


def changes(zone: str) -> list[int]:
    """Return the next two changes of the clock."""
    now_ms = round(time.time() * 1000)
    return [each.start_ms for each in stretches(ZoneInfo(zone), now_ms, now_ms + 400 * DAY_MS)[1:3]]


@pytest.mark.parametrize("rounds", [True, False])
async def test_a_search_before_the_resource_opens_finds_its_first_slot(
    service: Http, *, rounds: bool
) -> None:
    """From a quarter past eight: half past eight, when it opens."""
    opens = [{"allow_hours": {"start": "08:30", "end": "12:00"}}]
    window = {"from": times.render(at(8.25)), "to": times.render(at(12))}
    found = await starts(service, constraints=opens, round_to_nearest_hour=rounds, **window)
    assert found == [times.render(at(hour)) for hour in (8.5, 9.5, 10.5)]


async def test_a_search_from_now_finds_slots_on_the_grid(service: Http) -> None:
    """At full hours, whatever second it is, with rounding off."""
    found = await starts(service, to="2 days")
    assert len(found) in (47, 48)
    assert all(start.endswith(":00:00.000Z") for start in found)


async def test_slots_keep_their_times_of_day_when_the_clock_changes(service: Http) -> None:
    """Every four hours in Berlin, around the next two changes and for searches begun later."""
    await located(service, "Europe/Berlin")
    for change_ms in changes("Europe/Berlin"):
        ends = {"to": times.render(change_ms + 2 * DAY_MS), "output_timezone": "Europe/Berlin"}
        begins = [change_ms - 2 * DAY_MS, change_ms - 1, change_ms + 5 * HOUR_MS + 7]
        found = [
            await starts(service, length="4 hours", **ends, **{"from": times.render(begin)})
            for begin in begins
        ]
        assert {start[11:19] for start in found[0]} == {f"{h:02}:00:00" for h in range(0, 24, 4)}
        assert found[0][-len(found[1]) :] == found[1]
        assert found[1][-len(found[2]) :] == found[2]


async def test_slots_keep_to_full_hours_when_the_clock_changes_by_half_an_hour(
    service: Http,
) -> None:
    """On Lord Howe Island: three o'clock where two is skipped, two where half past one repeats."""
    zone = "Australia/Lord_Howe"
    await located(service, zone)
    first: dict[str, str] = {}
    for change_ms in changes(zone):
        window = {"from": times.render(change_ms), "to": times.render(change_ms + DAY_MS)}
        for rounds in (True, False):
            search = {"output_timezone": zone, "round_to_nearest_hour": rounds} | window
            start = (await starts(service, **search))[0]
            first[start[-6:]] = start[11:16]
    assert first == {"+11:00": "03:00", "+10:30": "02:00"}


@pytest.mark.parametrize("text", ["30 minutes!", "½ hour", "1/2 hour", "..."])
async def test_a_buffer_that_is_not_understood_is_refused(service: Http, text: str) -> None:
    """In a search and in a project, by its name and with the form that it takes."""
    search = await service("POST", "/v2/availability", {"resources": [ROOM], "buffer": text})
    project = await service("POST", "/v2/projects", {"name": "P", "availability": {"buffer": text}})
    for answer, name in ((search, "buffer"), (project, "availability.buffer")):
        assert (answer.status, list(answer.json["errors"])) == (422, [name])
        assert "such as 1 hour" in answer.json["errors"][name][0]


async def test_half_an_hour_of_buffer_is_thirty_minutes(service: Http) -> None:
    """What is reserved from ten to eleven keeps half an hour free at both its ends."""
    assert (await service("POST", "/v2/bookings/reserve", RESERVE)).status == 201
    window = {"from": times.render(at(8)), "to": times.render(at(13)), "length": "30 minutes"}
    found = await starts(service, buffer="0.5 hours", **window)
    assert found == [times.render(at(hour)) for hour in (8, 8.5, 9, 11.5, 12, 12.5)]


@pytest.mark.parametrize("name", ["localtime", "Factory", "right/Europe/Berlin", "posixrules"])
async def test_a_name_that_only_a_machine_knows_is_no_time_zone(service: Http, name: str) -> None:
    """For the resource as for what is shown."""
    search = await service(
        "POST", "/v2/availability", {"resources": [ROOM], "output_timezone": name}
    )
    resource = await service("POST", "/v2/resources", {"name": "Room", "timezone": name})
    assert (search.status, list(search.json["errors"])) == (422, ["output_timezone"])
    assert (resource.status, list(resource.json["errors"])) == (422, ["timezone"])


@pytest.mark.parametrize("quantity", [1, 2, 3])
async def test_what_is_offered_for_a_quantity_can_be_reserved(service: Http, quantity: int) -> None:
    """With two of three units taken from ten to eleven, by the request or by its project."""
    await service("POST", "/v2/resources", {"id": ROOM, "name": "Room", "capacity": 3})
    assert (await service("POST", "/v2/bookings/reserve", RESERVE | {"quantity": 2})).status == 201
    project = {"name": "Salon", "availability": {"quantity": float(quantity)}}
    made = await service("POST", "/v2/projects", project)
    window = {"from": times.render(at(9)), "to": times.render(at(12))}
    found = await starts(service, quantity=quantity, **window)
    assert await starts(service, project_id=made.data["id"], **window) == found
    wish = RESERVE | {"quantity": quantity}
    answer = await service("POST", "/v2/bookings/reserve", wish)
    assert (times.render(at(10)) in found) == (answer.status == 201)
    assert answer.status == (201 if quantity == 1 else 409)


@pytest.mark.parametrize("quantity", [0, -1, 251, 1.5, True, "2"])
async def test_a_quantity_is_a_whole_number_from_one(service: Http, quantity: object) -> None:
    """And no more than any resource has."""
    body = {"resources": [ROOM], "quantity": quantity}
    answer = await service("POST", "/v2/availability", body)
    assert (answer.status, list(answer.json["errors"])) == (422, ["quantity"])
