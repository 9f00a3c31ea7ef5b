"""Projects and resources: what an operator sets once and every request then relies on."""

from typing import Any

from msgspec import Struct, field

from reservesvc.domain.constraints import Constraint

RESOURCES_MAX = 500
"""Most resources of a project, and of a search"""


class BookingDefaults(Struct, frozen=True, kw_only=True):
    """What a project's reservations and bookings are, where the request does not say."""

    graph: str | None = None
    what: str | None = None
    where: str | None = None
    description: str | None = None


class Project(Struct, frozen=True, kw_only=True):
    """A named set of defaults that requests refer to with `project_id`."""

    id: str
    name: str
    slug: str
    reservation_time: int | None = None
    """how long to hold a slot, in seconds, where the request does not say"""
    allow_double_bookings: bool = False
    """whether bookings need no free slot, where the request does not say"""
    availability: dict[str, Any] = field(default_factory=dict)
    """what a search for free slots asks for, where the request does not say: mode, length, …"""
    availability_constraints: tuple[Constraint, ...] = ()
    """hold for all its resources, beside their own"""
    booking: BookingDefaults = BookingDefaults()
    resources: tuple[str, ...] = ()
    """ids of the resources among which a search looks; registered or not"""
    customer_fields: dict[str, Any] = field(default_factory=dict)
    """what a widget asks its customers for"""
    ui: dict[str, Any] = field(default_factory=dict)
    """how a widget looks"""
    meta: dict[str, Any] = field(default_factory=dict)
    created_ms: int = 0
    updated_ms: int = 0


class Resource(Struct, frozen=True, kw_only=True):
    """The thing being booked. An id nobody registered has capacity 1."""

    id: str
    name: str
    timezone: str = "UTC"
    """an IANA time zone name"""
    capacity: int = 1
    email: str | None = None
    availability_constraints: tuple[Constraint, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    created_ms: int = 0
    updated_ms: int = 0


def unregistered(resource_id: str) -> Resource:
    """Return what holds for a resource id that nobody registered."""
    return Resource(id=resource_id, name=resource_id)
