"""One ordinary request to every route, by the route's name."""

from typing import NamedTuple

from reservesvc.api.call import Route
from reservesvc.api.routes import ROUTES
from tests.api.client import BOOK, RESERVE
from tests.api.stubs import BOOKING_ID, CANCELLED_ID, PROJECT_ID, RESERVATION_ID
from tests.builders import DAY, ROOM


class Request(NamedTuple):
    """A request that goes well when the stubs say that all is well."""

    method: str
    path: str
    body: object = None


_BODIES: dict[str, object] = {
    "reserve": RESERVE,
    "reserve_batch": {"mode": "independent", "reservations": [RESERVE]},
    "extend": {"reservation_id": RESERVATION_ID, "duration": 60},
    "book": BOOK,
    "availability": {"resources": [ROOM]},
    "reschedule": {"start": f"{DAY}T14:00:00Z", "end": f"{DAY}T15:00:00Z"},
    "update_booking": {"meta": {"table": 7}},
    "create_project": {"name": "Salon"},
    "update_project": {"name": "Salon"},
    "add_project_resource": {"resource_id": ROOM},
    "replace_project_resources": [ROOM],
    "create_resource": {"name": "Chair"},
    "update_resource": {"name": "Chair"},
}
_PARTS = {
    "reservation_id": RESERVATION_ID,
    "booking_id": BOOKING_ID,
    "project_id": PROJECT_ID,
    "resource_id": ROOM,
    "action": "cancel",
    "slug": "salon",
}
_PARTS_OF = {"delete_booking": {"booking_id": CANCELLED_ID}}
_QUERIES = {"live": f"?resource_id={ROOM}"}


def to(route: Route) -> Request:
    """Return the ordinary request to `route`."""
    path = route.path.format_map(_PARTS | _PARTS_OF.get(route.name, {})) + _QUERIES.get(
        route.name, ""
    )
    return Request(route.method, path, _BODIES.get(route.name))


def named(name: str) -> Request:
    """Return the ordinary request to the route called `name`."""
    return to(next(route for route in ROUTES if route.name == name))
