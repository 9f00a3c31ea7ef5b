"""Projects and resources: what their fields may be, what is kept, and what null takes away."""

from typing import Any

import pytest

from reservesvc.api.changes import TRIES
from reservesvc.domain.outcomes import Overtaken
from reservesvc.domain.project import RESOURCES_MAX
from tests.api.client import Http
from tests.api.stubs import PROJECT_ID, Stubs

FULL: dict[str, Any] = {
    "name": "Salon",
    "slug": "salon",
    "reservation_time": 90,
    "allow_double_bookings": True,
    "availability": {
        "mode": "roundrobin_random",
        "quantity": 2,
        "from": "now",
        "to": "4 weeks",
        "length": "1 hour",
        "buffer": "0.5 hours",
        "timeslot_increments": "15 minutes",
        "output_timezone": "Asia/Tokyo",
        "round_to_nearest_hour": False,
        "ignore_all_day_events": True,
    },
    "availability_constraints": [{"block_weekends": {}}, {"allow_hours": {"start": 9, "end": 17}}],
    "booking": {"graph": "instant", "what": "Cut", "where": "Here", "description": "Short"},
    "resources": ["room-2", "room-1"],
    "customer_fields": {"name": {"title": "Your name"}, "phone": {"title": "Phone"}},
    "ui": {"availability_view": "listing", "localization": {"submit_button": "Go"}},
    "meta": {"floor": 2},
}
EMPTY: dict[str, Any] = {
    "reservation_time": None,
    "allow_double_bookings": False,
    "availability": {},
    "availability_constraints": [],
    "booking": {"graph": None, "what": None, "where": None, "description": None},
    "resources": [],
    "customer_fields": {},
    "ui": {},
    "meta": {},
}
CHAIR: dict[str, Any] = {
    "id": "chair",
    "name": "Chair",
    "timezone": "Europe/Berlin",
    "capacity": 3,
    "email": "chair@example.com",
    "availability_constraints": [{"allow_weekdays": {}}],
    "meta": {"floor": 2},
}


async def test_every_field_is_kept(service: Http) -> None:
    """What is created can be read, alone and in the list, and sent back as it is."""
    made = await service("POST", "/v2/projects", FULL)
    path = f"/v2/projects/{made.data['id']}"
    assert made.status == 201
    assert made.data.items() >= FULL.items()
    assert (await service("GET", path)).data == made.data
    assert (await service("GET", "/v2/projects")).data == [made.data]
    assert (await service("PUT", path, made.data)).status == 204
    assert (await service("GET", path)).data.items() >= FULL.items()


async def test_null_takes_a_projects_values_away(service: Http) -> None:
    """Each field goes back to what a new project has; name and slug stay."""
    made = await service("POST", "/v2/projects", FULL)
    path = f"/v2/projects/{made.data['id']}"
    assert (await service("PUT", path, dict.fromkeys(EMPTY))).status == 204
    assert (await service("GET", path)).data.items() >= EMPTY.items()
    assert (await service("GET", path)).data["slug"] == "salon"


async def test_null_takes_away_one_default_of_the_booking(service: Http) -> None:
    """Inside `booking` as well, what is not named stays."""
    made = await service("POST", "/v2/projects", FULL)
    path = f"/v2/projects/{made.data['id']}"
    await service("PUT", path, {"booking": {"where": None, "what": "Shave"}})
    expected = {"graph": "instant", "what": "Shave", "where": None, "description": "Short"}
    assert (await service("GET", path)).data["booking"] == expected


async def test_null_takes_a_resources_values_away(service: Http) -> None:
    """Its time zone is UTC again, its capacity 1."""
    made = await service("POST", "/v2/resources", CHAIR)
    assert made.data.items() >= CHAIR.items()
    fields = ("timezone", "capacity", "email", "availability_constraints", "meta")
    assert (await service("PUT", "/v2/resources/chair", dict.fromkeys(fields))).status == 204
    found = (await service("GET", "/v2/resources/chair")).data
    assert [found[name] for name in fields] == ["UTC", 1, None, [], {}]
    assert (found["id"], found["name"]) == ("chair", "Chair")


@pytest.mark.parametrize(
    ("path", "fields"),
    [(f"/v2/projects/{PROJECT_ID}", {"name", "slug"}), ("/v2/resources/room-1", {"name"})],
)
async def test_what_is_required_cannot_be_taken_away(
    http: Http, stubs: Stubs, path: str, fields: set[str]
) -> None:
    """A null there is a field error, and nothing is changed."""
    answer = await http("PUT", path, {"meta": {}} | dict.fromkeys(fields))
    assert (answer.status, set(answer.json["errors"])) == (422, fields)
    assert {name for name, _ in stubs.bookings.calls} <= {"project", "resource"}


async def test_null_is_as_good_as_left_out_when_creating(service: Http) -> None:
    """A slug of null follows from the name, an id of null is made."""
    nulls = dict.fromkeys(("slug", *EMPTY))
    project = await service("POST", "/v2/projects", {"name": "Salon"} | nulls)
    assert project.data.items() >= ({"slug": "salon"} | EMPTY).items()
    resource = await service("POST", "/v2/resources", dict.fromkeys(CHAIR) | {"name": "Chair"})
    assert (resource.status, len(resource.data["id"]), resource.data["capacity"]) == (201, 36, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"),
        ({"slug": "No"}, "slug"),
        ({"reservation_time": 0}, "reservation_time"),
        ({"reservation_time": 86_401}, "reservation_time"),
        ({"allow_double_bookings": "yes"}, "allow_double_bookings"),
        ({"availability": []}, "availability"),
        ({"availability": {"mode": "fair"}}, "availability.mode"),
        ({"availability": {"from": "soon"}}, "availability.from"),
        ({"availability": {"to": 4}}, "availability.to"),
        ({"availability": {"length": "long"}}, "availability.length"),
        ({"availability": {"buffer": "-1 hour"}}, "availability.buffer"),
        ({"availability": {"timeslot_increments": True}}, "availability.timeslot_increments"),
        ({"availability": {"output_timezone": "Nowhere"}}, "availability.output_timezone"),
        ({"availability": {"round_to_nearest_hour": 1}}, "availability.round_to_nearest_hour"),
        ({"availability": {"buffer": "30 minutes!"}}, "availability.buffer"),
        ({"availability": {"buffer": "1/2 hour"}}, "availability.buffer"),
        ({"availability": {"buffer": 30}}, "availability.buffer"),
        ({"availability": {"buffer": "32 days"}}, "availability.buffer"),
        ({"availability": {"length": "½ hour"}}, "availability.length"),
        ({"availability": {"length": "0 minutes"}}, "availability.length"),
        ({"availability": {"length": "32 days"}}, "availability.length"),
        ({"availability": {"timeslot_increments": "..."}}, "availability.timeslot_increments"),
        ({"availability": {"timeslot_increments": "1 second"}}, "availability.timeslot_increments"),
        ({"availability": {"from": "now!"}}, "availability.from"),
        ({"availability": {"from": True}}, "availability.from"),
        ({"availability": {"mode": 1}}, "availability.mode"),
        ({"availability": {"output_timezone": "localtime"}}, "availability.output_timezone"),
        ({"availability": {"output_timezone": "Factory"}}, "availability.output_timezone"),
        ({"availability": {"output_timezone": "right/UTC"}}, "availability.output_timezone"),
        ({"availability": {"output_timezone": 1}}, "availability.output_timezone"),
        ({"availability": {"quantity": 0}}, "availability.quantity"),
        ({"availability": {"quantity": 251}}, "availability.quantity"),
        ({"availability": {"quantity": 1.5}}, "availability.quantity"),
        ({"availability": {"quantity": True}}, "availability.quantity"),
        ({"availability": {"quantity": "3"}}, "availability.quantity"),
        ({"availability_constraints": {}}, "availability_constraints"),
        ({"availability_constraints": [{}]}, "availability_constraints.0"),
        ({"booking": {"graph": "none"}}, "booking.graph"),
        ({"booking": {"what": 1}}, "booking.what"),
        ({"resources": "room-1"}, "resources"),
        ({"resources": ["room-1", "a b"]}, "resources.1"),
        ({"resources": [1]}, "resources.0"),
        ({"resources": ["r"] * (RESOURCES_MAX + 1)}, "resources"),
        ({"customer_fields": {"name": "Name"}}, "customer_fields.name"),
        ({"ui": {"availability_view": "month"}}, "ui.availability_view"),
        ({"ui": {"time_date_format": None}}, "ui.time_date_format"),
        ({"ui": {"localization": "de"}}, "ui.localization"),
        ({"meta": 1}, "meta"),
    ],
)
async def test_a_wrong_field_of_a_project_is_named(
    http: Http, stubs: Stubs, body: dict[str, Any], field: str
) -> None:
    """Creating and changing refuse the same, and change nothing."""
    created = await http("POST", "/v2/projects", {"name": "Salon"} | body)
    changed = await http("PUT", f"/v2/projects/{PROJECT_ID}", body)
    for answer in (created, changed):
        assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert {name for name, _ in stubs.bookings.calls} <= {"project"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "europe/berlin"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"timezone": "Factory"}, "timezone"),
        ({"timezone": "posixrules"}, "timezone"),
        ({"timezone": "right/Europe/Berlin"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"capacity": 0}, "capacity"),
        ({"capacity": 251}, "capacity"),
        ({"email": 1}, "email"),
        ({"availability_constraints": ["weekends"]}, "availability_constraints.0"),
    ],
)
async def test_a_wrong_field_of_a_resource_is_named(
    http: Http, stubs: Stubs, body: dict[str, Any], field: str
) -> None:
    """Registering and changing refuse the same, and change nothing."""
    made = await http("POST", "/v2/resources", {"name": "Chair"} | body)
    changed = await http("PUT", "/v2/resources/chair", body)
    for answer in (made, changed):
        assert (answer.status, list(answer.json["errors"])) == (422, [field])
    assert {name for name, _ in stubs.bookings.calls} <= {"resource"}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "US/Eastern"])
async def test_every_name_of_the_iana_is_a_time_zone(http: Http, zone: str) -> None:
    """Old names that link to others included."""
    body = {"name": "Chair", "timezone": zone}
    assert (await http("POST", "/v2/resources", body)).data["timezone"] == zone


@pytest.mark.parametrize(
    ("path", "method"),
    [(f"/v2/projects/{PROJECT_ID}", "update_project"), ("/v2/resources/r", "update_resource")],
)
async def test_a_change_begins_again_when_another_was_faster(
    http: Http, stubs: Stubs, path: str, method: str
) -> None:
    """It is laid over what is there by then; where that never ends, nothing is changed."""
    stubs.bookings.will(method, Overtaken())
    answer = await http("PUT", path, {"meta": {"a": 1}})
    assert (answer.status, answer.code) == (503, "unavailable")
    assert "outcome" not in answer.json
    assert [name for name, _ in stubs.bookings.calls].count(method) == TRIES
