"""One request and its reply for every call, in an order in which they work one after the other.

The replies are rendered from values by what renders the real ones; a test sends all requests to
a real service, in this order, and compares. Ids and moments differ there.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reservesvc.api import embed, render
from reservesvc.domain import times
from reservesvc.domain.booking import Booking as BookingValue
from reservesvc.domain.project import BookingDefaults, Project, Resource, unregistered
from reservesvc.domain.reservation import Claim, Details, ReservationId, document, granted

_HOUR_MS = 3_600_000
# Far enough ahead for a process that runs for a year; the document is another once a year.
_YEAR = datetime.now(UTC).year + 2
_NOW_MS = times.parse(f"{_YEAR}-05-27T15:21:43.229Z") or 0
_OPEN_MS = times.parse(f"{_YEAR}-06-03T08:00:00Z") or 0
_DURATION_S = 300
_TEXTS: dict[str, Any] = {
    "what": "Haircut",
    "where": "Main street 1",
    "description": "Short, please",
}
_STAMPS: dict[str, Any] = {"created_ms": _NOW_MS, "updated_ms": _NOW_MS}


class Example(Struct, frozen=True, kw_only=True):
    """A request and its reply."""

    status: int = 200
    parts: dict[str, str] = {}
    """what stands in the parts of the path"""
    query: Mapping[str, str | list[str]] = {}
    body: Any = None
    reply: Any = None
    """the body of the reply; None where it is no JSON, or there is none"""


def _at(hours: int) -> str:
    return times.render(_OPEN_MS + hours * _HOUR_MS)


def _slot(hours: int) -> dict[str, str]:
    return {"resource_id": _ROOM.id, "start": _at(hours), "end": _at(hours + 1)}


def _reservation(ulid: str, hours: int, duration_s: int = _DURATION_S) -> Any:  # noqa: ANN401
    """Return a reservation's JSON; `duration_s` is what it was last extended by."""
    name = ReservationId(_ROOM.id, ulid)
    start_ms, end_ms = _OPEN_MS + hours * _HOUR_MS, _OPEN_MS + (hours + 1) * _HOUR_MS
    details = Details(
        id=name.text,
        reservation_id=name.text,
        resource_id=_ROOM.id,
        project_id=None,
        duration=_DURATION_S,
        customer={},
        graph="instant",
        **_TEXTS,
    )
    claim = Claim(
        id=name,
        start_ms=start_ms,
        end_ms=end_ms,
        quantity=1,
        duration_ms=duration_s * 1000,
        document=document(start_ms, end_ms, 1, details),
    )
    return msgspec.json.decode(render.reservation(granted(claim, _NOW_MS)))


def _booking(hours: int = 2, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    moved = {"start_ms": _OPEN_MS + hours * _HOUR_MS, "end_ms": _OPEN_MS + (hours + 1) * _HOUR_MS}
    value = replace(_BOOKED, **moved, **changed)
    return {"data": render.booking(replace(value, due_ms=value.due_from(_NOW_MS)), _LARGER)}


def _page(*items: Any) -> dict[str, Any]:  # noqa: ANN401 - of any kind
    """Return a list that has one page."""
    beside = {"next_page_url": None, "prev_page_url": None, "from": 1, "to": len(items)}
    numbers = {"total": len(items), "per_page": 50, "current_page": 1, "last_page": 1}
    return {"data": list(items)} | numbers | beside


_ROOM = Resource(id="room-1", name="Room 1", timezone="Europe/Berlin", **_STAMPS)
_LARGER = replace(_ROOM, capacity=2)
_SALON = Project(
    id="5a1f4b9c-15ab-4c8a-92b5-1f4d1b8a7e10",
    name="Salon",
    slug="salon",
    reservation_time=_DURATION_S,
    booking=BookingDefaults(where="Main street 1"),
    resources=(_ROOM.id,),
    **_STAMPS,
)
_FIRST, _SECOND, _THIRD = (f"01M81XJM1T9DJQ8GPTN0Y8C91{end}" for end in "CDE")
_RESERVATION = f"{_ROOM.id}.{_FIRST}"
_BOOKED = BookingValue(
    id="5bcdbd70-774d-425f-9b63-14e3b725a3f6",
    reservation_id=_RESERVATION,
    entry_id=_FIRST,
    resource_id=_ROOM.id,
    project_id=None,
    graph="instant",
    state="confirmed",
    start_ms=_OPEN_MS,
    end_ms=_OPEN_MS,
    quantity=1,
    customers=[
        {
            "id": "43a6e66f-6763-4008-ac79-3827157a97f0",
            "name": "Ada",
            "email": "ada@example.com",
        }
    ],
    meta={},
    **_TEXTS,
    **_STAMPS,
)
_OF_ROOM = {"resource_id": _ROOM.id}
_OF_SALON = {"project_id": _SALON.id}
_OF_RESERVATION = {"reservation_id": _RESERVATION}
_OF_BOOKING = {"booking_id": _BOOKED.id}
_META = {"order": 4711}
_INPUTS = {"cancel": {"message": "Ill, sorry"}}
_PLACE = {"id": _ROOM.id, "name": _ROOM.name, "timezone": _ROOM.timezone}

EXAMPLES = {
    "create_resource": Example(
        body={"id": _ROOM.id, "name": _ROOM.name, "timezone": _ROOM.timezone},
        status=201,
        reply={"data": render.resource(_ROOM)},
    ),
    "find_resources": Example(reply=_page(render.resource(_ROOM))),
    "read_resource": Example(parts=_OF_ROOM, reply={"data": render.resource(_ROOM)}),
    "update_resource": Example(parts=_OF_ROOM, body={"capacity": _LARGER.capacity}, status=204),
    "create_project": Example(
        body={
            "name": _SALON.name,
            "reservation_time": _SALON.reservation_time,
            "booking": {"where": _SALON.booking.where},
            "resources": list(_SALON.resources),
        },
        status=201,
        reply={"data": render.project(_SALON)},
    ),
    "find_projects": Example(reply=_page(render.project(_SALON))),
    "read_project": Example(parts=_OF_SALON, reply={"data": render.project(_SALON)}),
    "embed_project": Example(parts=_OF_SALON, reply={"data": embed.config(_SALON)}),
    "hosted_project": Example(parts={"slug": _SALON.slug}, reply={"data": embed.config(_SALON)}),
    "update_project": Example(parts=_OF_SALON, body={"reservation_time": 600}, status=204),
    "find_project_resources": Example(parts=_OF_SALON, reply=_page(render.resource(_LARGER))),
    "add_project_resource": Example(
        parts=_OF_SALON,
        body={"resource_id": "room-2"},
        status=201,
        reply={"data": render.resource(unregistered("room-2"))},
    ),
    "replace_project_resources": Example(parts=_OF_SALON, body=["room-2", _ROOM.id], status=204),
    "remove_project_resource": Example(parts=_OF_SALON | {"resource_id": "room-2"}, status=204),
    "availability": Example(
        body={"resources": [_ROOM.id], "from": _at(2), "to": _at(4), "length": "1 hour"},
        reply={
            "data": [
                {"start": _at(hours), "end": _at(hours + 1), "resources": [_PLACE]}
                for hours in (2, 3)
            ]
        },
    ),
    "reserve": Example(
        body=_slot(2) | {"duration": _DURATION_S} | _TEXTS,
        status=201,
        reply={"data": _reservation(_FIRST, 2)},
    ),
    "read": Example(parts=_OF_RESERVATION, reply={"data": _reservation(_FIRST, 2)}),
    "live": Example(query=_OF_ROOM, reply=_page(_reservation(_FIRST, 2))),
    "extend": Example(
        body=_OF_RESERVATION | {"duration": 600}, reply={"data": _reservation(_FIRST, 2, 600)}
    ),
    "book": Example(
        body=_OF_RESERVATION | {"customer": {"name": "Ada", "email": "ada@example.com"}},
        status=201,
        reply=_booking(),
    ),
    "read_booking": Example(parts=_OF_BOOKING, reply=_booking()),
    "find_bookings": Example(
        query={
            "search": [f"resource.id:{_ROOM.id};state:confirmed"],
            "start": _at(0),
            "limit": "50",
        },
        reply=_page(_booking()["data"]),
    ),
    "update_booking": Example(parts=_OF_BOOKING, body={"meta": _META}, reply=_booking(meta=_META)),
    "reschedule": Example(
        parts=_OF_BOOKING,
        body={"start": _at(4), "end": _at(5)},
        reply=_booking(4, meta=_META),
    ),
    "act": Example(
        parts=_OF_BOOKING | {"action": "cancel"},
        body=_INPUTS,
        reply=_booking(4, meta=_META, state="cancelled", inputs=_INPUTS),
    ),
    "delete_booking": Example(parts=_OF_BOOKING, status=204),
    "reserve_batch": Example(
        body={
            "mode": "all_or_nothing",
            "reservations": [_slot(hours) | {"duration": _DURATION_S} | _TEXTS for hours in (6, 7)],
        },
        status=201,
        reply={"data": [_reservation(_SECOND, 6), _reservation(_THIRD, 7)]},
    ),
    "release": Example(parts={"reservation_id": f"{_ROOM.id}.{_SECOND}"}, status=204),
    "delete_project": Example(parts=_OF_SALON, status=204),
    "delete_resource": Example(parts=_OF_ROOM, status=204),
    "livez": Example(reply={"status": "live"}),
    "readyz": Example(
        reply={
            "status": "ready",
            "checks": {"redis": {"status": "ok"}, "store": {"status": "ok"}},
        }
    ),
    "metrics": Example(),
    "openapi": Example(),
    "docs": Example(),
}
"""by the name of the route"""
