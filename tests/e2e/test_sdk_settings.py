"""What the npm package timekit-sdk 1.19.8 sets up: resources and projects."""

from tests.e2e.conftest import ADMIN, WIDGET
from tests.e2e.sdk import Sdk


def test_resources(sdk: Sdk, room: str) -> None:
    """A resource is made, listed, changed and deleted."""
    made = sdk("createResource", {"id": room, "name": "Room", "capacity": 2}, key=ADMIN)
    assert (made.status, made.data["id"]) == (201, room)
    assert room in [resource["id"] for resource in sdk("getResources").data]
    change = {"id": room, "name": "Large room"}
    assert sdk("updateResource", change, key=ADMIN).status == 204
    assert sdk("getResource", {"id": room}).data["name"] == "Large room"
    assert sdk("deleteResource", {"id": room}, key=ADMIN).status == 204
    assert sdk("getResource", {"id": room}).status == 404


def test_a_project_and_its_resources(sdk: Sdk, room: str) -> None:
    """A project is made, gets resources one by one and all at once, and loses one."""
    made = sdk("createProject", {"name": f"Project of {room}", "reservationTime": 90}, key=ADMIN)
    assert (made.status, made.data["reservation_time"]) == (201, 90)
    named = {"id": made.data["id"]}
    added = sdk("addProjectResource", named | {"resourceId": room}, key=ADMIN)
    assert added.status == 201
    assert [one["id"] for one in sdk("getProjectResources", dict(named)).data] == [room]
    rooms = [f"{room}-a", f"{room}-b"]
    assert sdk("setProjectResources", named | {"resources": rooms}, key=ADMIN).status == 204
    removed = named | {"resourceId": rooms[0]}
    assert sdk("removeProjectResource", removed, key=ADMIN).status == 204
    assert [one["id"] for one in sdk("getProjectResources", dict(named)).data] == rooms[1:]


def test_a_project_is_found_changed_and_deleted(sdk: Sdk, room: str) -> None:
    """It is found by id, by slug and in the list; a widget gets the same by id and by slug."""
    made = sdk("createProject", {"name": "Salon", "slug": f"salon-{room}"}, key=ADMIN).data
    named = {"id": made["id"]}
    texts = {"graph": "instant", "what": "Haircut", "where": "Salon", "description": ""}
    assert sdk("updateProject", named | {"booking": texts}, key=ADMIN).status == 204
    assert sdk("getProject", named).data["booking"] == texts
    assert made["id"] in [project["id"] for project in sdk("getProjects").data]
    embedded = sdk("getEmbedProject", named, key=WIDGET).data
    hosted = sdk("getHostedProject", {"slug": made["slug"]}, key=WIDGET).data
    assert embedded == hosted
    assert embedded["booking"] == texts
    assert sdk("deleteProject", named, key=ADMIN).status == 204
    assert sdk("getProject", named).status == 404
