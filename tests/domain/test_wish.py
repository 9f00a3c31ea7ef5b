"""A wish is completed from its project, or every wrong field is named."""

from typing import Any

import pytest

from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.project import BookingDefaults, Project, Resource, unregistered
from reservesvc.domain.wish import Limits, Wish, complete
from tests.builders import ROOM, a_wish, at

LIMITS = Limits(duration_s_max=3_600, slot_s_max=7_200)
ROOM_OF_FIVE = Resource(id=ROOM, name="Room", capacity=5)
PROJECT = Project(
    id="p1",
    name="P",
    slug="p",
    reservation_time=90,
    booking=BookingDefaults(graph="instant", what="a", where="b", description="c"),
)


def errors_of(wish: Wish, project: Project | None = None) -> dict[str, list[str]]:
    """Complete the wish, insist that it fails, and return why."""
    assert complete(wish, project, ROOM_OF_FIVE, LIMITS) is None
    return wish.errors


def test_defaults_are_thirty_seconds_one_unit_and_instant() -> None:
    """What nobody says is Timekit's default."""
    terms = complete(a_wish(), None, unregistered(ROOM), LIMITS)
    assert terms is not None
    assert (terms.duration_s, terms.quantity, terms.graph) == (30, 1, "instant")


def test_a_projects_time_is_held_to_the_limit() -> None:
    """A project made under larger limits cannot reserve beyond today's."""
    project = Project(id="p1", name="P", slug="p", reservation_time=86_400)
    terms = complete(a_wish(project_id="p1"), project, ROOM_OF_FIVE, LIMITS)
    assert terms is not None
    assert terms.duration_s == 3_600


def test_an_empty_text_is_an_answer() -> None:
    """Only a text that is left out comes from the project."""
    terms = complete(a_wish(project_id="p1", what=""), PROJECT, ROOM_OF_FIVE, LIMITS)
    assert terms is not None
    assert (terms.what, terms.duration_s) == ("", 90)


def test_nothing_at_all_names_everything_required() -> None:
    """Six fields, six sentences."""
    names = ["resource_id", "start", "end", "what", "where", "description"]
    assert errors_of(Wish()) == {name: [f"{name} is required"] for name in names}


@pytest.mark.parametrize(
    ("fields", "name", "rule"),
    [
        ({"end_ms": at(10)}, "end", "end must be after start"),
        ({"end_ms": at(9)}, "end", "end must be after start"),
        ({"end_ms": at(12.5)}, "end", "end must be at most 7200 seconds after start"),
        ({"duration_s": 0}, "duration", "duration must be from 1 to 3600 seconds"),
        ({"duration_s": 3_601}, "duration", "duration must be from 1 to 3600 seconds"),
        ({"quantity": 0}, "quantity", "quantity must be from 1 to the resource's capacity, 5"),
        ({"quantity": 6}, "quantity", "quantity must be from 1 to the resource's capacity, 5"),
        ({"graph": "x"}, "graph", f"graph must be one of: {', '.join(GRAPHS)}"),
        (
            {"graph": "group_customer"},
            "graph",
            "graph group_customer takes a seat of a booking, and no slot to reserve",
        ),
    ],
)
def test_a_broken_rule_is_named(fields: dict[str, Any], name: str, rule: str) -> None:
    """The message says what would be right."""
    assert errors_of(a_wish(**fields)) == {name: [rule]}


def test_an_unknown_project_is_named() -> None:
    """Settings nobody made are not guessed."""
    assert list(errors_of(a_wish(project_id="p9"))) == ["project_id"]


def test_what_decoding_found_is_kept() -> None:
    """A field of the wrong type is not also called missing."""
    wish = a_wish(start_ms=None, errors={"start": ["start must be a string, not a list"]})
    assert errors_of(wish) == {"start": ["start must be a string, not a list"]}
