"""Domain values as the JSON objects of the interface."""

from typing import Any

from msgspec.structs import asdict

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
    live = f'{opening}"remaining_ms":{value.remaining_ms},"server_time":"{now}",{value.front}'
    return b"".join((live.encode(), value.rest, closing))


def booking(value: Booking, resource: Resource) -> dict[str, Any]:
    """Return a booking; `completed` tells that no action is open any more, as Timekit has it."""
    actions = value.open_actions
    event = {
        "start": times.render(value.start_ms),
        "end": times.render(value.end_ms),
        "what": value.what,
        "where": value.where,
        "description": value.description,
    }
    return {
        "id": value.id,
        "state": value.state,
        "graph": value.graph,
        "completed": not actions,
        "created_at": times.render(value.created_ms),
        "updated_at": times.render(value.updated_ms),
        "possible_actions": actions,
        "available_actions": actions,
        "resource_id": value.resource_id,
        "project_id": value.project_id,
        "reservation_id": value.reservation_id,
        "quantity": value.quantity,
        "meta": value.meta,
        "participants": value.participants,
        "settings": value.settings,
        "due_at": times.render(value.due_ms) if value.due_ms else None,
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
        "availability_constraints": constraints.render(value.availability_constraints),
        "booking": asdict(value.booking),
        "resources": value.resources,
        "customer_fields": value.customer_fields,
        "ui": value.ui,
        "meta": value.meta,
        "created_at": times.render(value.created_ms),
        "updated_at": times.render(value.updated_ms),
    }


def resource(value: Resource) -> dict[str, Any]:
    """Return a resource."""
    return {
        "id": value.id,
        "name": value.name,
        "timezone": value.timezone,
        "capacity": value.capacity,
        "email": value.email,
        "availability_constraints": constraints.render(value.availability_constraints),
        "meta": value.meta,
        "created_at": times.render(value.created_ms),
        "updated_at": times.render(value.updated_ms),
    }
