"""Values for the tests of the booking store: whatever a test does not name has a default."""

from itertools import count
from typing import Any

from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.project import Project, Resource
from tests import builders

MINUTE_MS = 60_000
NOON_MS = builders.at(12)
"""of the tests' day, to count from"""

_numbers = count(1)


def booking(**fields: Any) -> Booking:
    """Return a new booking, from noon for an hour unless `fields` say otherwise."""
    number = next(_numbers)
    resource_id = fields.get("resource_id", "room-1")
    defaults = {
        "id": f"booking-{number:06}",
        "reservation_id": f"{resource_id}.{number:026}",
        "entry_id": f"{number:026}",
        "resource_id": resource_id,
        "project_id": None,
        "graph": "instant",
        "state": "confirmed",
        "start_ms": NOON_MS,
        "end_ms": NOON_MS + 60 * MINUTE_MS,
        "quantity": 1,
        "what": "Haircut",
        "where": "Main Street",
        "description": "short",
        "customers": [],
        "meta": {},
        "created_ms": NOON_MS - 1_000,
        "updated_ms": NOON_MS - 1_000,
    }
    made = Booking(**{**defaults, **fields})
    return made if "due_ms" in fields else replace(made, due_ms=made.due_from(made.created_ms))


def at(start_min: int, end_min: int, **fields: Any) -> Booking:
    """Return a new booking from and to so many minutes after noon."""
    start_ms, end_ms = NOON_MS + start_min * MINUTE_MS, NOON_MS + end_min * MINUTE_MS
    return booking(start_ms=start_ms, end_ms=end_ms, **fields)


def project(name: str, **fields: Any) -> Project:
    """Return a project whose id and slug are made from `name`."""
    return Project(**{"id": f"id-{name}", "name": name, "slug": name, **fields})


def resource(resource_id: str, **fields: Any) -> Resource:
    """Return a resource, named as its id."""
    return Resource(**{"id": resource_id, "name": resource_id, **fields})
