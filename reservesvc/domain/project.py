"""Projects and resources: what an operator sets once and every request then relies on."""

from typing import Any

from msgspec import Struct, field


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
    booking: BookingDefaults = BookingDefaults()
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
    meta: dict[str, Any] = field(default_factory=dict)
    created_ms: int = 0
    updated_ms: int = 0


def unregistered(resource_id: str) -> Resource:
    """Return what holds for a resource id that nobody registered."""
    return Resource(id=resource_id, name=resource_id)
