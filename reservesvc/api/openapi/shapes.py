"""What replies look like: types that only the document has use for.

Replies are rendered from domain values as dicts and bytes, for speed; tests hold both to be one.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

from reservesvc.domain.reservation import Details

T = TypeVar("T")
Time = Annotated[datetime, Meta(tz=True)]
"""a time with an offset, for which JSON Schema has a format"""


class Data(Struct, Generic[T], kw_only=True):
    """What a successful call answers."""

    data: T
    ignored_fields: list[str] | UnsetType = UNSET


class Several(Struct, Generic[T], kw_only=True):
    """What a call answers that has several things to say, and all of them."""

    data: list[T]
    ignored_fields: list[str] | UnsetType = UNSET


class Page(Struct, Generic[T], kw_only=True):
    """A page of a list."""

    data: list[T]
    total: int
    per_page: int
    current_page: int
    last_page: int
    next_page_url: str | None
    prev_page_url: str | None
    from_: int | None = field(name="from")
    to: int | None


class Reservation(Details, frozen=True, kw_only=True):
    """A slot that is held, and how much longer."""

    remaining_ms: int
    lifetime_ms: int
    server_time: Time
    expires_at: Time
    created_at: Time
    start: Time
    end: Time
    quantity: int


class Event(Struct, kw_only=True):
    """When and what."""

    start: Time
    end: Time
    what: str
    where: str
    description: str


class BookingAttributes(Struct, kw_only=True):
    """The event once more, where Timekit's clients look for it, beside the inputs of actions."""

    event_info: Event


class Related(Struct, kw_only=True):
    """Which other booking a booking belongs to."""

    owner_booking_id: str | None


class ResourceSummary(Struct, kw_only=True):
    """What is shown of a resource beside something else."""

    id: str
    name: str
    timezone: str


class Customer(Struct, kw_only=True):
    """Who booked; what else the request said of the customer stands beside these."""

    id: str
    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    voip: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET


class Booking(Struct, kw_only=True):
    """A slot that is booked."""

    id: str
    state: str
    graph: str
    completed: bool
    created_at: Time
    updated_at: Time
    possible_actions: list[str]
    available_actions: list[str]
    resource_id: str
    project_id: str | None
    reservation_id: str
    quantity: int
    meta: dict[str, Any]
    participants: list[str]
    settings: dict[str, Any]
    due_at: Time | None
    related: Related
    attributes: BookingAttributes
    event: Event
    customers: list[Customer]
    resource: ResourceSummary


class FreeSlot(Struct, kw_only=True):
    """A slot that can be reserved, and of which resources."""

    start: Time
    end: Time
    resources: list[ResourceSummary]


class BookingDefaults(Struct, kw_only=True):
    """What a project's reservations and bookings are, where the request does not say."""

    graph: str | None
    what: str | None
    where: str | None
    description: str | None


class Project(Struct, kw_only=True):
    """A set of defaults that requests name with `project_id`."""

    id: str
    name: str
    slug: str
    reservation_time: int | None
    allow_double_bookings: bool
    availability: dict[str, Any]
    availability_constraints: list[dict[str, Any]]
    booking: BookingDefaults
    resources: list[str]
    customer_fields: dict[str, Any]
    ui: dict[str, Any]
    meta: dict[str, Any]
    created_at: Time
    updated_at: Time


class WidgetProject(Struct, kw_only=True):
    """What a booking widget needs of a project."""

    id: str
    name: str
    slug: str
    booking: dict[str, Any]
    customer_fields: dict[str, Any]
    ui: dict[str, Any]
    availability: dict[str, Any] | UnsetType = UNSET
    availability_constraints: list[dict[str, Any]] | UnsetType = UNSET
    resources: list[str] | UnsetType = UNSET


class Resource(Struct, kw_only=True):
    """The thing being booked."""

    id: str
    name: str
    timezone: str
    capacity: int
    email: str | None
    availability_constraints: list[dict[str, Any]]
    meta: dict[str, Any]
    created_at: Time
    updated_at: Time


class Liveness(Struct, kw_only=True):
    """That the process answers."""

    status: Literal["live"]


class Health(Struct, kw_only=True):
    """What came of asking one dependency."""

    status: Literal["ok", "failed"]
    reason: str | UnsetType = UNSET


class Readiness(Struct, kw_only=True):
    """Whether every dependency can do its part."""

    status: Literal["ready", "unavailable"]
    checks: dict[str, Health]


class Problem(Struct, kw_only=True):
    """Why a request was not granted (RFC 9457); programs go by `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: str
    errors: dict[str, list[str]] | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET
    outcome: Literal["unknown"] | UnsetType = UNSET
    state: str | UnsetType = UNSET
    ended_at: Time | UnsetType = UNSET
    booking_id: str | UnsetType = UNSET
    possible_actions: list[str] | UnsetType = UNSET
    seats_left: int | UnsetType = UNSET
    item: int | UnsetType = UNSET
    model: str | UnsetType = UNSET
    ignored_fields: list[str] | UnsetType = UNSET


class BatchItem(Struct, kw_only=True):
    """How one item of an independent batch ended: with `data`, or with a `problem`."""

    status: int
    data: Reservation | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET
