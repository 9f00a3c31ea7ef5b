"""What request bodies may say: one struct a body, every field optional, null as good as absent.

Unknown fields are ignored. Rules beyond types (ranges, what is required) belong to whoever
uses the field.
"""

from typing import Any

from msgspec import Struct

from reservesvc.api.decoding import Decoder


class SlotBody(Struct, kw_only=True, gc=False):
    """What reserving and booking have in common."""

    start: str | None = None
    end: str | None = None
    resource_id: str | None = None
    project_id: str | None = None
    what: str | None = None
    where: str | None = None
    description: str | None = None
    customer: dict[str, Any] | None = None
    graph: str | None = None
    quantity: int | None = None


class EventBody(Struct, kw_only=True):
    """The legacy nested form of a booking's slot and texts."""

    start: str | None = None
    end: str | None = None
    what: str | None = None
    where: str | None = None
    description: str | None = None


class RelatedBody(Struct, kw_only=True):
    """Which other booking a booking belongs to."""

    owner_booking_id: str | None = None


class ReserveBody(SlotBody, kw_only=True):
    """`POST /v2/bookings/reserve`."""

    event: EventBody | None = None
    action: str | None = None
    duration: int | None = None
    reservation_time: int | None = None
    """Timekit's other name for `duration`, which goes before it"""


class BookBody(SlotBody, kw_only=True):
    """`POST /v2/bookings`: a hand-off with `reservation_id`, a direct booking without."""

    reservation_id: str | None = None
    event: EventBody | None = None
    action: str | None = None
    meta: dict[str, Any] | None = None
    participants: list[Any] | None = None
    settings: dict[str, Any] | None = None
    related: RelatedBody | None = None


class ExtendBody(Struct, kw_only=True):
    """`PUT /v2/bookings/reserve/extend`."""

    reservation_id: str | None = None
    duration: int | None = None


class DefaultsBody(Struct, kw_only=True):
    """A project's booking defaults."""

    graph: str | None = None
    what: str | None = None
    where: str | None = None
    description: str | None = None


class ProjectBody(Struct, kw_only=True):
    """`POST /v2/projects` and `PUT /v2/projects/{id}`."""

    name: str | None = None
    slug: str | None = None
    reservation_time: int | None = None
    allow_double_bookings: bool | None = None
    booking: DefaultsBody | None = None
    meta: dict[str, Any] | None = None


class ResourceBody(Struct, kw_only=True):
    """`POST /v2/resources` and `PUT /v2/resources/{id}`."""

    id: str | None = None
    name: str | None = None
    timezone: str | None = None
    capacity: int | None = None
    email: str | None = None
    meta: dict[str, Any] | None = None


RESERVE = Decoder(ReserveBody)
BOOK = Decoder(BookBody)
EXTEND = Decoder(ExtendBody)
PROJECT = Decoder(ProjectBody)
RESOURCE = Decoder(ResourceBody)
