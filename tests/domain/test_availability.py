"""From what was asked for to a search, or to what is wrong with it."""

from typing import Any

import pytest
from msgspec.structs import replace

from reservesvc.domain import times
from reservesvc.domain.availability import (
    PLACES_MAX,
    SLOTS_MAX,
    AvailabilityWish,
    Search,
    asked_resources,
    complete,
)
from reservesvc.domain.constraints import Constraint, Weekends
from reservesvc.domain.offers import MODES
from reservesvc.domain.project import RESOURCES_MAX, Project, Resource, unregistered
from reservesvc.domain.relative import LENGTH_RULE
from reservesvc.domain.slot import CAPACITY_MAX
from reservesvc.domain.wish import Limits
from reservesvc.domain.zones import DAY_MS, HOUR_MS

NOW_MS = times.parse("2026-12-01T10:20:30Z") or 0
LIMITS = Limits()
NO_WEEKENDS = Constraint(effect="block", rule=Weekends())
PROJECT = Project(
    id="p",
    name="Salon",
    slug="salon",
    availability={"from": "tomorrow", "to": "2 weeks", "length": "30 minutes", "mode": 7},
    availability_constraints=(NO_WEEKENDS,),
    resources=("room-1", "room-2"),
)


def completed(project: Project | None = None, **fields: Any) -> Search:
    """Return the search that a right wish comes to."""
    wish = AvailabilityWish(**({"resources": ["room-1"]} | fields))
    resources = [unregistered(each) for each in asked_resources(wish, project)]
    search = complete(wish, project, resources, NOW_MS, LIMITS)
    assert search is not None, wish.errors
    return search


def wrong(project: Project | None = None, **fields: Any) -> dict[str, str]:
    """Return what is wrong with a wish, by field."""
    wish = AvailabilityWish(**({"resources": ["room-1"]} | fields))
    resources = [unregistered(each) for each in asked_resources(wish, project)]
    assert complete(wish, project, resources, NOW_MS, LIMITS) is None
    assert all(message.startswith(f"{name} ") for name, (message,) in wish.errors.items())
    return {name: message for name, (message,) in wish.errors.items()}


def test_what_is_usual() -> None:
    """Four weeks from now, an hour each, one after the other, from the full hour on."""
    search = completed()
    assert (search.start_ms, search.end_ms) == (NOW_MS, NOW_MS + 28 * DAY_MS)
    assert (search.length_ms, search.step_ms, search.buffer_ms) == (HOUR_MS, HOUR_MS, 0)
    assert (search.mode, search.rounds, search.output) == ("roundrobin_random", True, None)


def test_four_weeks_begin_with_from() -> None:
    """A search that begins in half a year does not end before."""
    search = completed(from_="2027-06-01T00:00:00Z")
    assert search.end_ms - search.start_ms == 28 * DAY_MS


def test_the_project_fills_in() -> None:
    """What it says and the request does not; a value of the wrong type says nothing."""
    search = completed(PROJECT, resources=None, project_id="p", length="1 hour")
    assert [each.id for each in search.resources] == ["room-1", "room-2"]
    assert search.start_ms == times.parse("2026-12-02T00:00:00Z")
    assert search.end_ms == NOW_MS + 14 * DAY_MS
    assert search.length_ms == HOUR_MS
    assert search.mode == "roundrobin_random"
    assert search.constraints == (NO_WEEKENDS,)


def test_the_request_goes_before_the_project() -> None:
    """Also where it says that there are no constraints."""
    search = completed(PROJECT, project_id="p", mode="mutual", constraints=())
    assert [each.id for each in search.resources] == ["room-1"]
    assert (search.mode, search.constraints) == ("mutual", ())


def test_a_resource_counts_once() -> None:
    """However often it is listed, in its first place."""
    search = completed(resources=["b", "a", "b"])
    assert [each.id for each in search.resources] == ["b", "a"]


def test_midnight_is_that_of_the_output() -> None:
    """Who is shown New York's time means New York's tomorrow."""
    search = completed(from_="tomorrow", output_timezone="America/New_York")
    assert search.start_ms == times.parse("2026-12-02T00:00:00-05:00")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"resources": None}, {"resources"}),
        ({"resources": []}, {"resources"}),
        ({"resources": ["a"] * (RESOURCES_MAX + 1)}, {"resources"}),
        ({"resources": ["a", " ", None, {"id": "a"}]}, {f"resources.{n}" for n in (1, 2, 3)}),
        ({"project_id": "nobody"}, {"project_id"}),
        ({"mode": "lottery"}, {"mode"}),
        ({"from_": "soon", "to": "later"}, {"from", "to"}),
        ({"from_": "2 days", "to": "1 day"}, {"to"}),
        ({"from_": "now", "to": "now"}, {"to"}),
        ({"from_": "367 days ago"}, {"from"}),
        ({"from_": "11 years"}, {"from"}),
        ({"to": "7 months"}, {"to"}),
        ({"length": "0 minutes"}, {"length"}),
        ({"length": "32 days"}, {"length"}),
        ({"length": "1 month"}, {"length"}),
        ({"length": "", "buffer": "ten"}, {"length", "buffer"}),
        ({"buffer": "32 days"}, {"buffer"}),
        ({"timeslot_increments": "1 second"}, {"timeslot_increments"}),
        ({"output_timezone": "Mars/Olympus"}, {"output_timezone"}),
        ({"quantity": 0}, {"quantity"}),
        ({"quantity": CAPACITY_MAX + 1}, {"quantity"}),
        (
            {"mode": "x", "length": "x", "from_": "x", "to": "x", "resources": [1]},
            {"mode", "length", "from", "to", "resources.0"},
        ),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], names: set[str]) -> None:
    """Every field that is, and no other."""
    assert set(wrong(**fields)) == names


def test_no_slot_is_searched_that_is_too_far_ahead_to_reserve() -> None:
    """The search ends where reserving ends, and may begin right before it."""
    limits = Limits(ahead_s_max=86_400)
    room = [unregistered("room-1")]
    cut = AvailabilityWish(resources=["room-1"], from_="1 hour", to="3 days")
    search = complete(cut, None, room, NOW_MS, limits)
    assert search is not None
    assert search.end_ms == NOW_MS + 86_400_000
    refused = AvailabilityWish(resources=["room-1"], from_="25 hours")
    assert complete(refused, None, room, NOW_MS, limits) is None
    assert refused.errors == {"from": ["from must be at most 86400 seconds ahead"]}


NO_LENGTHS = ["", "30 minutes!", "½ hour", "1/2 hour", "...", ",", "0.5 days", "half an hour"]


@pytest.mark.parametrize("name", ["length", "buffer", "timeslot_increments"])
@pytest.mark.parametrize("text", NO_LENGTHS)
def test_a_length_that_is_not_understood_is_not_nothing(name: str, text: str) -> None:
    """The three lengths are read alike, and the form that they take is named."""
    fields: dict[str, Any] = {name: text}
    assert wrong(**fields)[name] == f"{name} {LENGTH_RULE}"


def test_a_length_may_have_decimals() -> None:
    """Half an hour is thirty minutes."""
    search = completed(length="1.5 hours", buffer="0.5 hours", timeslot_increments="0.25 hours")
    lengths_ms = (search.length_ms, search.buffer_ms, search.step_ms)
    assert lengths_ms == (90 * 60_000, 30 * 60_000, 15 * 60_000)


@pytest.mark.parametrize("text", NO_LENGTHS)
def test_a_stored_length_that_is_not_understood_is_named(text: str) -> None:
    """Earlier versions kept some; nothing is offered as if the project had no buffer."""
    stored = replace(PROJECT, availability={"buffer": text})
    assert set(wrong(stored, project_id="p")) == {"buffer"}


@pytest.mark.parametrize("name", ["localtime", "Factory", "posixrules", "right/UTC", "utc", ""])
def test_a_stored_time_zone_that_is_none_says_nothing(name: str) -> None:
    """Earlier versions kept some: the project's searches are answered in UTC."""
    stored = replace(PROJECT, availability={"output_timezone": name})
    assert completed(stored, project_id="p").output is None
    assert set(wrong(output_timezone=name)) == {"output_timezone"}


def test_how_many_units_a_slot_has_free() -> None:
    """One, or what the project says, or what the request says."""
    stored = replace(PROJECT, availability={"quantity": 3.0})
    assert completed().quantity == 1
    assert completed(stored, project_id="p").quantity == 3
    assert completed(stored, project_id="p", quantity=2).quantity == 2


def test_six_months_are_allowed() -> None:
    """From any day of the year, and with an hour before."""
    for month in range(1, 13):
        completed(from_=f"2027-{month:02}-01T00:00:00Z", to=_six_months_after(month))
    search = completed(from_="-1 hour", to="6 months")
    assert search.end_ms - search.start_ms == 182 * DAY_MS + HOUR_MS


def _six_months_after(month: int) -> str:
    year, later = divmod(month + 5, 12)
    return f"{2027 + year}-{later + 1:02}-01T00:00:00Z"


def test_too_many_slots() -> None:
    """The field to change is named, and what to do."""
    message = wrong(to="6 months", timeslot_increments="5 minutes")["timeslot_increments"]
    assert f"{SLOTS_MAX} are the most" in message
    assert "longer timeslot_increments" in message
    assert set(wrong(to="6 months", length="5 minutes")) == {"to"}


@pytest.mark.parametrize("mode", MODES)
def test_too_many_slots_for_so_many_resources(mode: str) -> None:
    """As many as are allowed are allowed."""
    ids = [f"room-{number}" for number in range(200)]
    slots = {"mutual": 750, "exclusive": 750}.get(mode, 5000)
    assert slots * len(ids) == PLACES_MAX[mode]  # type: ignore[index]  # it is one
    most = completed(resources=ids, mode=mode, length="10 minutes", to=f"{slots * 10} minutes")
    assert (most.end_ms - most.start_ms) // most.step_ms == slots
    over = wrong(resources=ids, mode=mode, length="10 minutes", to=f"{slots * 10 + 10} minutes")
    assert set(over) == {"to"}


def test_a_resource_in_a_zone_that_is_not_known_here() -> None:
    """Its hours cannot be told, so nothing of it is offered."""
    wish = AvailabilityWish(resources=["room-1"])
    lost = Resource(id="room-1", name="Room", timezone="Mars/Olympus")
    assert complete(wish, None, [lost], NOW_MS, LIMITS) is None
    assert set(wish.errors) == {"resources.0"}
