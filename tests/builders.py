"""Values that tests start from; every argument not given is an ordinary one."""

import calendar
import os
import time
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from reservesvc.domain import times
from reservesvc.domain.booking import Booking
from reservesvc.domain.reservation import Claim, Details, ReservationId, document
from reservesvc.domain.wish import Wish
from reservesvc.ids import RandomIds

IDS = RandomIds()
ROOM = "room-1"
HOUR_MS = 3_600_000


def a_wednesday(year: int) -> date:
    """Return the first Wednesday of December: some tests are about weekdays and weekends."""
    first = date(year, 12, 1)
    return first + timedelta(days=(calendar.WEDNESDAY - first.weekday()) % 7)


DAY = os.environ.setdefault("TESTS_DAY", str(a_wednesday(datetime.now(UTC).year + 1)))
"""the day of most slots, one to two years ahead: bookings that have ended complete by themselves,
and slots too far ahead are refused

The tests' child processes inherit it, so that a run that crosses midnight or a new year has one.
"""

YEARS_AGO = -20 * 366 * 24
"""hours from the tests' day to one that no index reaches back to"""


def last_month() -> float:
    """Return the hours from the tests' day to thirty days ago."""
    return (time.time() * 1000 - at(0)) / HOUR_MS - 30 * 24


def at(hour: float) -> int:
    """Return the instant `hour` hours into the tests' day."""
    midnight_ms = times.parse(f"{DAY}T00:00:00Z")
    assert midnight_ms is not None
    return midnight_ms + round(hour * HOUR_MS)


def a_claim(
    start: float = 10,
    end: float = 11,
    *,
    resource_id: str = ROOM,
    quantity: int = 1,
    duration_ms: int = 30_000,
    ulid: str | None = None,
) -> Claim:
    """Return a claim on the hours from `start` to `end`."""
    reservation_id = ReservationId(resource_id, ulid or IDS.ulid())
    details = Details(
        id=str(reservation_id),
        reservation_id=str(reservation_id),
        resource_id=resource_id,
        project_id=None,
        duration=duration_ms // 1000,
        what="Haircut",
        where="Main street 1",
        description="Short",
        customer={"name": "Ada"},
        graph="instant",
    )
    return Claim(
        id=reservation_id,
        start_ms=at(start),
        end_ms=at(end),
        quantity=quantity,
        duration_ms=duration_ms,
        document=document(at(start), at(end), quantity, details),
    )


def a_wish(start: float = 10, end: float = 11, **fields: object) -> Wish:
    """Return the wish for the hours from `start` to `end`, by a customer who can book."""
    values: dict[str, object] = {
        "resource_id": ROOM,
        "start_ms": at(start),
        "end_ms": at(end),
        "what": "Haircut",
        "where": "Main street 1",
        "description": "Short",
        "customer": {"name": "Ada", "email": "ada@example.com"},
    }
    return Wish(**(values | fields))  # type: ignore[arg-type]  # a test may send anything


def a_booking(claim: Claim | None = None, **fields: object) -> Booking:
    """Return the confirmed booking that `claim` became."""
    claim = claim or a_claim()
    values: dict[str, object] = {
        "id": IDS.uuid(),
        "reservation_id": str(claim.id),
        "entry_id": claim.id.ulid,
        "resource_id": claim.id.resource_id,
        "project_id": None,
        "graph": "instant",
        "state": "confirmed",
        "start_ms": claim.start_ms,
        "end_ms": claim.end_ms,
        "quantity": claim.quantity,
        "what": "Haircut",
        "where": "Main street 1",
        "description": "Short",
        "customers": [{"id": IDS.uuid(), "name": "Ada", "email": "ada@example.com"}],
        "meta": {},
        "created_ms": at(0),
        "updated_ms": at(0),
    }
    made = Booking(**(values | fields))  # type: ignore[arg-type]  # a test may set anything
    return made if "due_ms" in fields else replace(made, due_ms=made.due_from(made.created_ms))
