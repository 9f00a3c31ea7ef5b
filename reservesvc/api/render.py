"""Domain values as the JSON objects of the interface."""

from typing import Any

from msgspec.structs import asdict

from reservesvc import unreadable
from reservesvc.api import constraints
from reservesvc.domain import times
from reservesvc.domain.booking import Booking
from reservesvc.domain.project import Project, Resource
from reservesvc.domain.reservation import Reservation


def reservation(value: Reservation, opening: str = "{", closing: bytes = b"") -> bytes:
    """Return a reservation: the JSON that Redis holds, and what is left of it as of now.

    The document goes in as it is; decoding it only to encode it again would be the
    most expensive part of the reply.
    """
    now = times.render_now(value.now_ms)
    lifetime_ms = value.expires_ms - value.created_ms
    live = (
        f'{opening}"remaining_ms":{value.remaining_ms},"lifetime_ms":{lifetime_ms},'
        f'"server_time":"{now}",{value.front}'
    )
    return b"".join((live.encode(), value.rest, closing))


def time(value: int) -> str | None:
    """Return an instant that was stored, or None where it is none that can be written."""
    try:
        return times.render(value)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def booking(value: Booking, resource: Resource) -> dict[str, Any]:
    """Return a booking; `completed` tells that no action is open any more, as Timekit has it.

    Whatever its row holds can be shown: a time that no calendar has is null.
    """
    actions = value.open_actions
    event = {
        "start": time(value.start_ms),
        "end": time(value.end_ms),
        "what": value.what,
        "where": value.where,
        "description": value.description,
    }
    return {
        "id": value.id,
        "state": value.state,
        "graph": value.graph,
        "completed": value.is_known and not actions,
        "created_at": time(value.created_ms),
        "updated_at": time(value.updated_ms),
        "possible_actions": actions,
        "available_actions": actions,
        "resource_id": value.resource_id,
        "project_id": value.project_id,
        "reservation_id": value.reservation_id,
        "quantity": value.quantity,
        "meta": value.meta,
        "participants": value.participants,
        "settings": value.settings,
        "due_at": time(value.due_ms) if value.due_ms else None,
        "related": {"owner_booking_id": value.owner_booking_id},
        "attributes": {**value.inputs, "event_info": event},
        "event": event,
        "customers": value.customers,
        "resource": {"id": resource.id, "name": resource.name, "timezone": resource.timezone},
    }


def project(value: Project) -> dict[str, Any]:
    """Return a project."""
    return {
        "id": value.id,
        "name": value.name,
        "slug": value.slug,
        "reservation_time": value.reservation_time,
        "allow_double_bookings": value.allow_double_bookings,
        "availability": value.availability,
        "availability_constraints": constraints_of(value),
        "booking": asdict(value.booking),
        "resources": value.resources,
        "customer_fields": value.customer_fields,
        "ui": value.ui,
        "meta": value.meta,
        "created_at": time(value.created_ms),
        "updated_at": time(value.updated_ms),
    }


def resource(value: Resource) -> dict[str, Any]:
    """Return a resource."""
    return {
        "id": value.id,
        "name": value.name,
        "timezone": value.timezone,
        "capacity": value.capacity,
        "email": value.email,
        "availability_constraints": constraints_of(value),
        "meta": value.meta,
        "created_at": time(value.created_ms),
        "updated_at": time(value.updated_ms),
    }


def constraints_of(value: Project | Resource) -> list[dict[str, Any]]:
    """Return the constraints; none where one has a time that cannot be written."""
    try:
        return constraints.render(value.availability_constraints)
    except (ArithmeticError, TypeError, ValueError):
        unreadable.note(type(value).__name__.lower(), str(value.id), constraints.FIELD)
        return []
