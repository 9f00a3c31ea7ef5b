"""Availability over HTTP, on a real Redis and a real SQLite file."""

from datetime import date, timedelta
from typing import Any

import pytest

from reservesvc.domain import times
from tests.api.client import RESERVE, Http
from tests.api.conftest import Start
from tests.api.stubs import Stubs
from tests.builders import DAY, ROOM, at

SEARCH: dict[str, Any] = {
    "resources": [ROOM],
    "from": f"{DAY}T08:00:00Z",
    "to": f"{DAY}T12:00:00Z",
}


def last_sunday_of_october() -> date:
    """Return the day on which clocks in the European Union are put back, in the tests' year."""
    end = date.fromisoformat(DAY).replace(month=10, day=31)
    return end - timedelta(days=end.isoweekday() % 7)


def begins(slots: list[dict[str, Any]]) -> list[str]:
    """Return the hours at which slots begin."""
    return [slot["start"][11:16] for slot in slots]


async def test_a_reserved_slot_is_out(service: Http) -> None:
    """The others are there, in the form that Timekit's widget reads."""
    assert (await service("POST", "/v2/bookings/reserve", RESERVE)).status == 201
    answer = await service("POST", "/v2/availability", SEARCH)
    assert answer.status == 200
    assert begins(answer.data) == ["08:00", "09:00", "11:00"]
    assert answer.data[0] == {
        "start": f"{DAY}T08:00:00.000Z",
        "end": f"{DAY}T09:00:00.000Z",
        "resources": [{"id": ROOM, "name": ROOM, "timezone": "UTC"}],
    }


async def test_times_are_shown_in_the_zone_asked_for(service: Http) -> None:
    """With its offset, that changes where its clock does; with none in UTC."""
    sunday = last_sunday_of_october()
    saturday = sunday - timedelta(days=1)
    body = SEARCH | {"from": f"{saturday}T23:00:00Z", "to": f"{sunday}T02:00:00Z"}
    berlin = await service("POST", "/v2/availability", body | {"output_timezone": "Europe/Berlin"})
    assert [slot["start"] for slot in berlin.data] == [
        f"{sunday}T01:00:00.000+02:00",
        f"{sunday}T02:00:00.000+02:00",
        f"{sunday}T02:00:00.000+01:00",
    ]
    howe = await service(
        "POST", "/v2/availability", body | {"output_timezone": "Australia/Lord_Howe"}
    )
    assert howe.data[0]["end"] == f"{sunday}T11:00:00.000+11:00"
    york = await service("POST", "/v2/availability", body | {"output_timezone": "America/New_York"})
    assert york.data[0]["start"] == f"{saturday}T19:00:00.000-04:00"
    assert york.data[0]["resources"][0]["timezone"] == "UTC"


async def test_the_widgets_request(service: Http) -> None:
    """What its configuration's defaults come to; fields that nobody knows are ignored."""
    body = {
        "output_timezone": "Europe/Berlin",
        "resources": [ROOM],
        "constraints": [
            {"allow_day_and_time": {"day": "Monday", "start": 9, "end": 17}},
            {"block_hours": {"start": 12, "end": 13}},
        ],
        "mode": "roundrobin_random",
        "length": "30 minutes",
        "from": "-1 hour",
        "to": "4 weeks",
        "buffer": "15 minutes",
        "ignore_all_day_events": False,
        "future": "2 days",
        "filters": {},
    }
    answer = await service("POST", "/v2/availability", body)
    assert answer.status == 200
    assert len(answer.data) >= 3 * 14
    assert {slot["resources"][0]["id"] for slot in answer.data} == {ROOM}


async def test_exclusive_lists_everybody(service: Http) -> None:
    """Registered with their names and zones, by the order asked for."""
    await service(
        "POST", "/v2/resources", {"id": "chair", "name": "Chair", "timezone": "Europe/Berlin"}
    )
    body = SEARCH | {"mode": "exclusive", "resources": [ROOM, "chair"]}
    answer = await service("POST", "/v2/availability", body)
    assert answer.data[0]["resources"] == [
        {"id": ROOM, "name": ROOM, "timezone": "UTC"},
        {"id": "chair", "name": "Chair", "timezone": "Europe/Berlin"},
    ]


async def test_nothing_free_is_an_empty_list(service: Http) -> None:
    """And no error."""
    body = SEARCH | {"constraints": [{"block_weekdays": {}}]}
    answer = await service("POST", "/v2/availability", body)
    assert (answer.status, answer.json) == (200, {"data": []})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, {"resources"}),
        ({"resources": ROOM}, {"resources"}),
        ({"resources": [ROOM], "length": 60, "round_to_nearest_hour": "no"}, None),
        ({"resources": [ROOM], "constraints": [{"allow_hours": {"start": 9, "end": 25}}]}, None),
        ({"resources": [ROOM], "from": "whenever", "project_id": "no-such"}, None),
    ],
)
async def test_wrong_fields_are_named(
    service: Http, body: dict[str, Any], names: set[str] | None
) -> None:
    """All of them at once, each with its rule."""
    answer = await service("POST", "/v2/availability", body)
    assert (answer.status, answer.code) == (422, "invalid_fields")
    wrong = names or body.keys() - {"resources"}
    assert {name.partition(".")[0] for name in answer.json["errors"]} == wrong


async def test_a_large_reply_is_whole(service: Http) -> None:
    """Written in several turns, it is one JSON document."""
    rooms = [f"room-{number}" for number in range(100)]
    body = SEARCH | {"mode": "exclusive", "resources": rooms, "to": times.render(at(8 + 7 * 24))}
    answer = await service("POST", "/v2/availability", body)
    assert [len(slot["resources"]) for slot in answer.data] == [100] * 168


async def test_a_search_in_time_is_never_of_unknown_outcome(start: Start, stubs: Stubs) -> None:
    """It only reads: a deadline that is missed changed nothing."""
    stubs.reservations.will("usages", TimeoutError())
    answer = await (await start())("POST", "/v2/availability", SEARCH)
    assert answer.status == 503
    assert "outcome" not in answer.json
