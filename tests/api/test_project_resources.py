"""The resources of a project, and the part of a project that a widget is given."""

import asyncio
from typing import Any

import pytest

from reservesvc.api import embed
from reservesvc.domain.project import RESOURCES_MAX
from tests.api.client import Http
from tests.api.stubs import PROJECT_ID, Stubs, a_project

PATH = f"/v2/projects/{PROJECT_ID}/resources"


async def made(service: Http, **fields: Any) -> str:
    """Create a project and return its path."""
    answer = await service("POST", "/v2/projects", {"name": "Salon"} | fields)
    return f"/v2/projects/{answer.data['id']}"


async def ids(service: Http, path: str) -> list[str]:
    """Return the ids of a project's resources, as its list gives them."""
    return [each["id"] for each in (await service("GET", f"{path}/resources")).data]


async def test_resources_come_and_go(service: Http) -> None:
    """Added at the end, once; replaced as a whole by a bare list; taken out one by one."""
    path = await made(service, resources=["a"])
    for name in ("b", "a", "b"):
        answer = await service("POST", f"{path}/resources", {"resource_id": name})
        assert (answer.status, answer.data["id"]) == (201, name)
    assert await ids(service, path) == ["a", "b"]
    assert (await service("PUT", f"{path}/resources", ["c", "a", "c"])).status == 204
    assert (await service("GET", path)).data["resources"] == ["c", "a"]
    assert (await service("DELETE", f"{path}/resources/c")).status == 204
    assert (await service("DELETE", f"{path}/resources/c")).json["model"] == "Resource"
    assert await ids(service, path) == ["a"]
    assert (await service("PUT", f"{path}/resources", [])).status == 204
    assert await ids(service, path) == []


async def test_the_list_shows_what_is_registered(service: Http) -> None:
    """In the project's order, page by page; an id nobody registered has its defaults."""
    await service("POST", "/v2/resources", {"id": "chair", "name": "Chair", "capacity": 2})
    path = await made(service, resources=["x", "chair", "y"])
    listed = await service("GET", f"{path}/resources?limit=2")
    assert [(each["id"], each["name"], each["capacity"]) for each in listed.data] == [
        ("x", "x", 1),
        ("chair", "Chair", 2),
    ]
    assert (listed.json["total"], listed.json["to"]) == (3, 2)
    second = await service("GET", listed.json["next_page_url"])
    assert [each["id"] for each in second.data] == ["y"]
    assert second.json["next_page_url"] is None


async def test_resources_added_at_once_are_all_there(service: Http) -> None:
    """No addition is lost to another one, nor to a change of the project."""
    path = await made(service)
    added = [f"room-{number}" for number in range(6)]
    answers = await asyncio.gather(
        *(service("POST", f"{path}/resources", {"resource_id": name}) for name in added),
        service("PUT", path, {"meta": {"floor": 1}}),
    )
    done = [answer.status for answer in answers]
    assert set(done) <= {201, 204, 503}
    there = [name for name, status in zip(added, done, strict=False) if status == 201]
    assert sorted(await ids(service, path)) == there
    assert done[-1] != 204 or (await service("GET", path)).data["meta"] == {"floor": 1}


@pytest.mark.parametrize(
    ("method", "body", "status", "field"),
    [
        ("POST", {}, 422, "resource_id"),
        ("POST", {"resource_id": "a b"}, 422, "resource_id"),
        ("POST", {"resource_id": 1}, 422, "resource_id"),
        ("PUT", ["a b"], 422, "resources.0"),
        ("PUT", ["a", None], 422, "resources.1"),
        ("PUT", {"resources": ["a"]}, 422, "body"),
        ("PUT", ["a"] * (RESOURCES_MAX + 1), 422, "resources"),
        ("PUT", b"[", 400, None),
        ("PUT", b"", 400, None),
    ],
)
async def test_what_is_no_resource_is_refused(
    http: Http, stubs: Stubs, method: str, body: object, status: int, field: str | None
) -> None:
    """Before anything is looked at."""
    answer = await http(method, PATH, body)
    assert answer.status == status
    assert list(answer.json.get("errors", [])) == ([field] if field else [])
    assert stubs.bookings.calls == []


async def test_a_project_has_only_so_many_resources(http: Http, stubs: Stubs) -> None:
    """One more is refused; one of those it has is not."""
    full = tuple(f"r{number}" for number in range(RESOURCES_MAX))
    stubs.bookings.will("project", a_project(resources=full))
    answer = await http("POST", PATH, {"resource_id": "more"})
    assert (answer.status, list(answer.json["errors"])) == (422, ["resource_id"])
    assert (await http("POST", PATH, {"resource_id": "r0"})).status == 201


async def test_a_widget_is_given_what_it_needs(service: Http) -> None:
    """A project with nothing but a name has all without which a click would throw."""
    path = await made(service)
    project_id = path.rpartition("/")[2]
    found = (await service("GET", f"/v2/projects/embed/{project_id}")).data
    assert (await service("GET", "/v2/projects/hosted/salon")).data == found
    assert found == {
        "id": project_id,
        "name": "Salon",
        "slug": "salon",
        "booking": {"graph": "instant"},
        "customer_fields": embed.CUSTOMER_FIELDS,
        "ui": embed.UI | {"localization": embed.LOCALIZATION},
    }


async def test_a_widget_is_given_what_the_project_says(service: Http) -> None:
    """The project's words go before ours; nothing that is for others is among it."""
    path = await made(
        service,
        resources=["room-1"],
        availability={"length": "30 minutes"},
        availability_constraints=[{"block_weekends": {}}],
        booking={"what": "Haircut"},
        customer_fields={"phone": {"title": "Phone"}, "email": {"title": "Mail"}},
        ui={"time_date_format": "24h-dmy-mon", "localization": {"submit_button": "Go"}},
        reservation_time=90,
        meta={"cost": 7},
    )
    found = (await service("GET", path.replace("projects/", "projects/embed/"))).data
    assert found["resources"] == ["room-1"]
    assert found["availability"] == {"length": "30 minutes"}
    assert found["availability_constraints"] == [{"block_weekends": {}}]
    assert found["booking"] == {"graph": "instant", "what": "Haircut"}
    assert list(found["customer_fields"]) == ["name", "email", "phone"]
    assert found["customer_fields"]["email"] == embed.CUSTOMER_FIELDS["email"] | {"title": "Mail"}
    assert found["ui"]["time_date_format"] == "24h-dmy-mon"
    assert found["ui"]["availability_view"] == "agendaWeek"
    assert found["ui"]["localization"] == embed.LOCALIZATION | {"submit_button": "Go"}
    assert not {"meta", "reservation_time", "created_at"} & set(found)


@pytest.mark.parametrize("slug", ["Salon", "nobody", "sal%6Fn%00", "%00"])
async def test_a_slug_nobody_has_is_a_404(service: Http, slug: str) -> None:
    """Whatever is asked for in its place."""
    await made(service)
    answer = await service("GET", f"/v2/projects/hosted/{slug}")
    assert (answer.status, answer.json["model"]) == (404, "Project")
