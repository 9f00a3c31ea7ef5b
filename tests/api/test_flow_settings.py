"""Projects and resources end to end: what is set holds for the next reservation."""

import pytest

from tests.api.client import RESERVE, SLOT, Http
from tests.builders import DAY


async def test_a_project_gives_what_the_request_leaves_out(service: Http) -> None:
    """Duration and texts come from the project; the request overrides them."""
    booking = {"what": "Haircut", "where": "Salon", "description": "Short"}
    made = await service(
        "POST", "/v2/projects", {"name": "Salon", "reservation_time": 90, "booking": booking}
    )
    body = SLOT | {"project_id": made.data["id"], "what": "Shave"}
    answer = await service("POST", "/v2/bookings/reserve", body)
    assert answer.status == 201
    assert (answer.data["duration"], answer.data["where"]) == (90, "Salon")
    assert (answer.data["what"], answer.data["project_id"]) == ("Shave", made.data["id"])


async def test_a_changed_duration_holds_for_the_next_reservation(service: Http) -> None:
    """A PUT of one field leaves the others, and counts at once on this server."""
    made = await service("POST", "/v2/projects", {"name": "Salon", "reservation_time": 90})
    path = f"/v2/projects/{made.data['id']}"
    first = await service("POST", "/v2/bookings/reserve", RESERVE | {"project_id": made.data["id"]})
    changed = await service("PUT", path, {"reservation_time": 15})
    evening = {"start": f"{DAY}T20:00:00Z", "end": f"{DAY}T21:00:00Z"}
    body = RESERVE | evening | {"project_id": made.data["id"]}
    second = await service("POST", "/v2/bookings/reserve", body)
    assert (changed.status, changed.body) == (204, b"")
    assert (first.data["duration"], second.data["duration"]) == (90, 15)
    assert (await service("GET", path)).data["name"] == "Salon"


async def test_an_unknown_project_is_a_field_error(service: Http) -> None:
    """A deleted project is as unknown as one that never was."""
    made = await service("POST", "/v2/projects", {"name": "Salon"})
    deleted = await service("DELETE", f"/v2/projects/{made.data['id']}")
    body = RESERVE | {"project_id": made.data["id"]}
    answer = await service("POST", "/v2/bookings/reserve", body)
    assert (deleted.status, answer.status) == (204, 422)
    assert list(answer.json["errors"]) == ["project_id"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Straße-Café", "strasse-cafe"),
        ("Ærø & Łódź", "aero-lodz"),
        ("Санкт-Петербург", "sankt-peterburg"),
        ("北京", "beijing"),
        ("Cafe\u0301 Zoë", "cafe-zoe"),
        ("...", "project"),
        ("x" * 80, "x" * 50),
    ],
)
async def test_a_slug_follows_from_a_name_in_any_script(
    service: Http, name: str, slug: str
) -> None:
    """Transliterated; a name without a letter gets one all the same, and a long one is cut."""
    answer = await service("POST", "/v2/projects", {"name": name})
    assert (answer.status, answer.data["slug"]) == (201, slug)


async def test_projects_of_one_name_get_slugs_of_their_own(service: Http) -> None:
    """A slug that follows from the name steps aside; one that was asked for is refused."""
    first = await service("POST", "/v2/projects", {"name": "Café Zoë!"})
    second = await service("POST", "/v2/projects", {"name": "Café Zoë!"})
    third = await service("POST", "/v2/projects", {"name": "Other", "slug": "cafe-zoe"})
    assert first.data["slug"] == "cafe-zoe"
    assert second.data["slug"] == f"cafe-zoe-{second.data['id'][:8]}"
    assert (third.status, third.code) == (409, "slug_taken")
    path = f"/v2/projects/{second.data['id']}"
    assert (await service("PUT", path, {"slug": "cafe-zoe"})).code == "slug_taken"


async def test_creating_a_project_again_by_its_key_makes_no_second_one(service: Http) -> None:
    """The same key and body give the first project again; another body is refused."""
    first = await service("POST", "/v2/projects", {"name": "Salon"}, Idempotency_Key="k")
    again = await service("POST", "/v2/projects", {"name": "Salon"}, Idempotency_Key="k")
    other = await service("POST", "/v2/projects", {"name": "Gym"}, Idempotency_Key="k")
    assert (first.status, again.status, other.code) == (201, 201, "idempotency_key_reused")
    assert first.data == again.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await service("GET", "/v2/projects")).json["total"] == 1


async def test_a_registered_capacity_counts(service: Http) -> None:
    """A resource with two units can be reserved twice at once, or once for both."""
    await service("POST", "/v2/resources", {"id": "room-1", "name": "Room", "capacity": 2})
    both = await service("POST", "/v2/bookings/reserve", RESERVE | {"quantity": 2})
    none = await service("POST", "/v2/bookings/reserve", RESERVE)
    await service("DELETE", f"/v2/bookings/reserve/{both.data['id']}")
    singles = [await service("POST", "/v2/bookings/reserve", RESERVE) for _ in range(3)]
    assert (both.status, none.status) == (201, 409)
    assert [answer.status for answer in singles] == [201, 201, 409]


async def test_a_quantity_beyond_the_capacity_is_a_field_error(service: Http) -> None:
    """An unregistered resource has one unit."""
    answer = await service("POST", "/v2/bookings/reserve", RESERVE | {"quantity": 2})
    assert (answer.status, list(answer.json["errors"])) == (422, ["quantity"])


async def test_the_life_of_a_resource(service: Http) -> None:
    """A resource is registered once, changed field by field, listed, and unregistered."""
    body = {"id": "chair", "name": "Chair", "timezone": "Europe/Berlin", "meta": {"floor": 2}}
    made = await service("POST", "/v2/resources", body)
    again = await service("POST", "/v2/resources", body)
    changed = await service("PUT", "/v2/resources/chair", {"capacity": 3})
    read = await service("GET", "/v2/resources/chair")
    listed = await service("GET", "/v2/resources")
    deleted = await service("DELETE", "/v2/resources/chair")
    gone = await service("GET", "/v2/resources/chair")
    assert (made.status, again.status, again.code) == (201, 409, "id_taken")
    assert (changed.status, changed.body) == (204, b"")
    assert (read.data["capacity"], read.data["timezone"], read.data["meta"]) == (
        3,
        "Europe/Berlin",
        {"floor": 2},
    )
    assert [each["id"] for each in listed.data] == ["chair"]
    assert (deleted.status, gone.status, gone.json["model"]) == (204, 404, "Resource")


async def test_a_resource_replayed_by_its_key_is_marked(service: Http) -> None:
    """Also where the id was given, a repeated registration is told from the first."""
    for body in ({"id": "chair", "name": "Chair"}, {"name": "Table"}):
        key = body["name"]
        first = await service("POST", "/v2/resources", body, Idempotency_Key=key)
        again = await service("POST", "/v2/resources", body, Idempotency_Key=key)
        assert (first.status, again.status) == (201, 201)
        assert first.data == again.data
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
