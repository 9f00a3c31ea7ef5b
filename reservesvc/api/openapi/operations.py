"""What each call takes and answers, beyond what the URL table says: one row a call."""

from typing import Any

from msgspec import Struct

from reservesvc.api import schemas
from reservesvc.api.batch import BatchBody
from reservesvc.api.openapi.shapes import (
    BatchItem,
    Booking,
    Data,
    FreeSlot,
    Liveness,
    Page,
    Project,
    Readiness,
    Reservation,
    Resource,
    Several,
    WidgetProject,
)

JSON = "application/json"
TEXT = "text/plain"
HTML = "text/html"


class Operation(Struct, frozen=True, kw_only=True):
    """One call."""

    replies: dict[int, Any]
    """status → the type of the body; None for a body of no JSON, or for none"""
    body: Any = None
    """the type of the body; None where there is none"""
    required: tuple[str, ...] = ()
    """fields of the body that this call asks for, though others with the same body do not"""
    kept: tuple[str, ...] = ()
    """fields of the body that cannot be taken away by null"""
    optional: bool = False
    """whether the body may be left out"""
    codes: tuple[str, ...] = ()
    """of problems, beside those that follow from the row in the URL table"""
    media: str = JSON
    """the type of a successful reply's body"""


UNKNOWN = Operation(replies={200: None})
"""stands for a call that has no row"""
OPERATIONS = {
    "reserve": Operation(
        body=schemas.ReserveBody,
        replies={201: Data[Reservation]},
        codes=("slot_unavailable", "reservation_ended", "slot_too_old", "slot_too_far"),
    ),
    "live": Operation(replies={200: Page[Reservation]}),
    "reserve_batch": Operation(
        body=BatchBody,
        replies={200: Several[BatchItem], 201: Several[Reservation]},
        codes=(
            "slot_unavailable",
            "cart_incomplete",
            "reservation_ended",
            "slot_too_old",
            "slot_too_far",
        ),
    ),
    "extend": Operation(
        body=schemas.ExtendBody,
        replies={200: Data[Reservation]},
        codes=(
            "reservation_not_found",
            "reservation_ended",
            "handoff_in_progress",
            "extension_limit",
        ),
    ),
    "read": Operation(replies={200: Data[Reservation]}, codes=("reservation_ended",)),
    "release": Operation(replies={204: None}, codes=("reservation_ended", "handoff_in_progress")),
    "book": Operation(
        body=schemas.BookBody,
        replies={201: Data[Booking], 200: Data[Booking]},
        codes=(
            "slot_unavailable",
            "seat_unavailable",
            "reservation_not_found",
            "reservation_ended",
            "handoff_in_progress",
            "reservation_mismatch",
            "slot_too_old",
            "slot_too_far",
        ),
    ),
    "find_bookings": Operation(
        replies={200: Page[Booking]},
    ),
    "read_booking": Operation(replies={200: Data[Booking]}),
    "update_booking": Operation(body=schemas.UpdateBookingBody, replies={200: Data[Booking]}),
    "delete_booking": Operation(replies={204: None}, codes=("booking_not_final",)),
    "reschedule": Operation(
        body=schemas.RescheduleBody,
        replies={200: Data[Booking]},
        codes=("slot_unavailable", "slot_too_old", "slot_too_far", "action_not_allowed"),
    ),
    "act": Operation(
        body=dict[str, Any],
        optional=True,
        replies={200: Data[Booking]},
        codes=(
            "action_not_allowed",
            "slot_unavailable",
            "slot_too_old",
            "slot_too_far",
            "invalid_fields",
        ),
    ),
    "availability": Operation(body=schemas.AvailabilityBody, replies={200: Several[FreeSlot]}),
    "create_project": Operation(
        body=schemas.ProjectBody,
        required=("name",),
        replies={201: Data[Project]},
        codes=("slug_taken",),
    ),
    "find_projects": Operation(replies={200: Page[Project]}),
    "embed_project": Operation(replies={200: Data[WidgetProject]}),
    "hosted_project": Operation(replies={200: Data[WidgetProject]}),
    "read_project": Operation(replies={200: Data[Project]}),
    "update_project": Operation(
        body=schemas.ProjectBody,
        kept=("name", "slug"),
        replies={204: None},
        codes=("slug_taken",),
    ),
    "delete_project": Operation(replies={204: None}),
    "find_project_resources": Operation(replies={200: Page[Resource]}),
    "add_project_resource": Operation(body=schemas.AssignmentBody, replies={201: Data[Resource]}),
    "replace_project_resources": Operation(body=list[str], replies={204: None}),
    "remove_project_resource": Operation(replies={204: None}),
    "create_resource": Operation(
        body=schemas.ResourceBody,
        required=("name",),
        replies={201: Data[Resource]},
        codes=("id_taken",),
    ),
    "find_resources": Operation(replies={200: Page[Resource]}),
    "read_resource": Operation(replies={200: Data[Resource]}),
    "update_resource": Operation(body=schemas.ResourceBody, kept=("name",), replies={204: None}),
    "delete_resource": Operation(replies={204: None}),
    "livez": Operation(replies={200: Liveness}),
    "readyz": Operation(replies={200: Readiness, 503: Readiness}),
    "metrics": Operation(replies={200: None}, media=TEXT),
    "openapi": Operation(replies={200: dict[str, Any]}),
    "docs": Operation(replies={200: None}, media=HTML),
}
