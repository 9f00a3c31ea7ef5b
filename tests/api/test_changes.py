"""Handlers over stubs: what reaches the stores, and what follows a change."""

import pytest

from reservesvc.domain.outcomes import Booked, Ended, KeyReused, NotFound
from reservesvc.domain.project import BookingDefaults, Resource
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from tests.api import ordinary
from tests.api.client import ADA, Http
from tests.api.stubs import PROJECT_ID, RESERVATION_ID, Stubs, a_project
from tests.builders import a_booking

CHANGES = [
    "create_project", "update_project", "delete_project",
    "add_project_resource", "replace_project_resources", "remove_project_resource",
    "create_resource", "update_resource", "delete_resource",
]  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("doubtful", [False, True])
async def test_a_change_is_forgotten_in_memory(
    http: Http, stubs: Stubs, name: str, *, doubtful: bool
) -> None:
    """The next reservation reads anew, also where nobody knows whether the change happened."""
    if doubtful:
        lost = OutcomeUnknownError("store", "The reply to COMMIT is lost.")
        stubs.bookings.will("update_project" if "project_res" in name else name, lost)
    answer = await http(*ordinary.named(name))
    assert answer.status == 503 if doubtful else answer.status < 300
    assert ("forget", ()) in stubs.settings.calls


@pytest.mark.parametrize(
    ("name", "method", "gone"),
    [
        ("read_project", "project", None),
        ("update_project", "project", None),
        ("update_project", "update_project", NotFound(model="Project", id=PROJECT_ID)),
        ("delete_project", "delete_project", False),
        ("embed_project", "project", None),
        ("hosted_project", "project_by_slug", None),
        ("find_project_resources", "project", None),
        ("add_project_resource", "project", None),
        ("add_project_resource", "update_project", NotFound(model="Project", id=PROJECT_ID)),
        ("replace_project_resources", "project", None),
        ("replace_project_resources", "update_project", NotFound(model="Project", id=PROJECT_ID)),
        ("remove_project_resource", "project", None),
        ("remove_project_resource", "project", a_project(resources=("room-2",))),
        ("remove_project_resource", "update_project", NotFound(model="Project", id=PROJECT_ID)),
        ("read_resource", "resource", None),
        ("update_resource", "resource", None),
        ("update_resource", "update_resource", NotFound(model="Resource", id="room-1")),
        ("delete_resource", "delete_resource", False),
    ],
)
async def test_what_is_not_there_is_a_404(
    http: Http, stubs: Stubs, name: str, method: str, gone: object
) -> None:
    """Also where it went away between reading and changing it."""
    stubs.bookings.will(method, gone)
    answer = await http(*ordinary.named(name))
    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.json["model"] in {"Project", "Resource"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_can_be_no_resources_id_is_not_asked_for(
    http: Http, stubs: Stubs, method: str
) -> None:
    """A 404 without a look into the store."""
    answer = await http(method, "/v2/resources/a%20b", {} if method == "PUT" else None)
    assert (answer.status, answer.json["model"]) == (404, "Resource")
    assert stubs.bookings.calls == []


@pytest.mark.parametrize("name", ["create_project", "create_resource"])
async def test_a_key_used_for_another_body_is_refused(http: Http, stubs: Stubs, name: str) -> None:
    """As everywhere else."""
    stubs.bookings.will(name, KeyReused())
    answer = await http(*ordinary.named(name), Idempotency_Key="k")
    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


async def test_an_update_changes_only_what_it_names(http: Http, stubs: Stubs) -> None:
    """Fields left out stay, inside `booking` as well; the id cannot be changed."""
    stored = a_project(booking=BookingDefaults(what="Haircut", where="Salon"), meta={"a": 1})
    stubs.bookings.will("project", stored)
    body = {"id": "other", "booking": {"where": "Home"}, "reservation_time": 60}
    answer = await http("PUT", f"/v2/projects/{PROJECT_ID}", body)
    assert (answer.status, answer.body) == (204, b"")
    assert stubs.bookings.called("update_project") == (
        a_project(
            booking=BookingDefaults(what="Haircut", where="Home"),
            meta={"a": 1},
            reservation_time=60,
        ),
        stored,
    )


async def test_a_resource_keeps_its_id(http: Http, stubs: Stubs) -> None:
    """An id in the body of a PUT is not taken."""
    await http("PUT", "/v2/resources/room-1", {"id": "room-2", "capacity": 5})
    assert stubs.bookings.called("update_resource") == (
        Resource(id="room-1", name="room-1", capacity=5),
        Resource(id="room-1", name="room-1"),
    )


async def test_what_can_be_no_id_is_refused_all_the_same(http: Http, stubs: Stubs) -> None:
    """Though it would not be taken, somebody meant something by it."""
    answer = await http("PUT", "/v2/resources/room-1", {"id": "", "capacity": 5})
    assert (answer.status, list(answer.json["errors"])) == (422, ["id"])
    assert "update_resource" not in [name for name, _ in stubs.bookings.calls]


async def test_a_resource_without_an_id_gets_one(http: Http) -> None:
    """Two registrations of one name are two resources."""
    made = [await http("POST", "/v2/resources", {"name": "Chair"}) for _ in range(2)]
    assert made[0].data["id"] != made[1].data["id"]


async def test_releasing_what_ended_is_no_error_unless_it_was_converted(
    http: Http, stubs: Stubs
) -> None:
    """The slot is free, which is all the caller wanted; a booked one is not."""
    ends = (Ended(state="released"), Ended(state="expired"), Ended(state="converted"))
    for ended, status in zip(ends, (204, 204, 410), strict=True):
        stubs.reservations.will("release", ended)
        assert (await http(*ordinary.named("release"))).status == status


async def test_a_booking_is_answered_although_its_resource_cannot_be_read(
    http: Http, stubs: Stubs
) -> None:
    """What is booked is booked: the reply must not turn into a 503 afterwards."""
    stubs.settings.will("resource", UnavailableError("store", "The store is locked."))
    body = {"reservation_id": RESERVATION_ID, "customer": ADA}
    answer = await http("POST", "/v2/bookings", body)
    assert answer.status == 201
    assert answer.data["resource"] == {"id": "room-1", "name": "room-1", "timezone": "UTC"}


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_repeated_hand_off_is_marked_when_it_bore_a_key(
    http: Http, stubs: Stubs, key: str | None
) -> None:
    """A 200 tells that the booking stood before; the header is about the key."""
    stubs.bookings.will("book", Booked(booking=a_booking(), repeated=True))
    headers = {"Idempotency-Key": key} if key else {}
    body = {"reservation_id": RESERVATION_ID, "customer": ADA}
    answer = await http("POST", "/v2/bookings", body, **headers)
    assert answer.status == 200
    assert answer.headers.get("Idempotent-Replayed") == ("true" if key else None)


@pytest.mark.parametrize("body", [None, b"", b"{}", {"cancel": {"message": "ill"}}])
async def test_an_action_needs_no_body(http: Http, body: object) -> None:
    """Its inputs, under its own name, are all optional."""
    request = ordinary.named("act")
    assert (await http(request.method, request.path, body)).status == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_an_actions_body_is_json_if_there_is_one(http: Http, body: bytes) -> None:
    """Nonsense is refused before anything changes."""
    request = ordinary.named("act")
    answer = await http(request.method, request.path, body)
    assert (answer.status, answer.code) == (400, "malformed_json")
