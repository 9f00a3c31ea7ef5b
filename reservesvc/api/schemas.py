"""What request bodies may say: one struct a body, every field optional.

Null is as good as absent; where null takes a value away, absent is `UNSET`. Unknown fields are
ignored. Rules beyond types (ranges, what is required) belong to whoever uses the field.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

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
    timeout: dict[str, Any] | None = None
    auto_complete_one_hour_after_booking_ends: dict[str, Any] | None = None


class RescheduleBody(Struct, kw_only=True):
    """`POST /v2/bookings/{id}/reschedule`."""

    start: str | None = None
    end: str | None = None
    resource_id: str | None = None


class UpdateBookingBody(Struct, kw_only=True):
    """`PUT /v2/bookings/{id}`."""

    meta: dict[str, Any] | None = None


class ExtendBody(Struct, kw_only=True):
    """`PUT /v2/bookings/reserve/extend`."""

    reservation_id: str | None = None
    duration: int | None = None


class AvailabilityBody(Struct, kw_only=True):
    """`POST /v2/availability`."""

    mode: str | None = None
    resources: list[Any] | None = None
    quantity: int | None = None
    project_id: str | None = None
    from_: str | None = field(default=None, name="from")
    to: str | None = None
    length: str | None = None
    buffer: str | None = None
    timeslot_increments: str | None = None
    constraints: list[Any] | None = None
    output_timezone: str | None = None
    round_to_nearest_hour: bool | None = None


class DefaultsBody(Struct, kw_only=True):
    """A project's booking defaults."""

    graph: str | UnsetType | None = UNSET
    what: str | UnsetType | None = UNSET
    where: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class ProjectBody(Struct, kw_only=True):
    """`POST /v2/projects` and `PUT /v2/projects/{id}`."""

    name: str | UnsetType | None = UNSET
    slug: str | UnsetType | None = UNSET
    reservation_time: int | UnsetType | None = UNSET
    allow_double_bookings: bool | UnsetType | None = UNSET
    availability: dict[str, Any] | UnsetType | None = UNSET
    availability_constraints: list[Any] | UnsetType | None = UNSET
    booking: DefaultsBody | UnsetType | None = UNSET
    resources: list[Any] | UnsetType | None = UNSET
    customer_fields: dict[str, Any] | UnsetType | None = UNSET
    ui: dict[str, Any] | UnsetType | None = UNSET
    meta: dict[str, Any] | UnsetType | None = UNSET


class AssignmentBody(Struct, kw_only=True):
    """`POST /v2/projects/{id}/resources`."""

    resource_id: str | None = None


class ResourceBody(Struct, kw_only=True):
    """`POST /v2/resources` and `PUT /v2/resources/{id}`."""

    id: str | None = None
    name: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    capacity: int | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    availability_constraints: list[Any] | UnsetType | None = UNSET
    meta: dict[str, Any] | UnsetType | None = UNSET


RESERVE = Decoder(ReserveBody)
BOOK = Decoder(BookBody)
RESCHEDULE = Decoder(RescheduleBody)
UPDATE = Decoder(UpdateBookingBody)
EXTEND = Decoder(ExtendBody)
AVAILABILITY = Decoder(AvailabilityBody)
PROJECT = Decoder(ProjectBody)
ASSIGNMENT = Decoder(AssignmentBody)
RESOURCE = Decoder(ResourceBody)
