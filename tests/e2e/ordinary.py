"""What these tests book, and the SDK's calls that most of them begin with."""

from typing import Any

from tests.builders import DAY
from tests.e2e.sdk import Sdk, Shown

TEN, ELEVEN, NOON = (f"{DAY[:4]}-06-03T{hour}:00:00.000Z" for hour in (10, 11, 12))
"""on a day of summer time, of the year of the tests' day: clocks show another hour than UTC's"""
TEXTS = {"what": "Haircut", "where": "Main street 1", "description": "Short, please"}
ADA = {"name": "Ada", "email": "ada@example.com"}
LATER = {"start": ELEVEN, "end": NOON}


def slot(room: str, **more: Any) -> dict[str, Any]:
    """Return what asks for the room from ten to eleven."""
    return {"resourceId": room, "start": TEN, "end": ELEVEN} | TEXTS | more


def booked(sdk: Sdk, room: str, **more: Any) -> Any:
    """Book the room directly; return the booking."""
    made = sdk("createBooking", slot(room, customer=ADA, **more))
    assert (made.rejected, made.status) == (False, 201)
    return made.data


def act(sdk: Sdk, booking: Any, action: str, **inputs: Any) -> Shown:
    """Take an action on the booking."""
    return sdk("updateBooking", {"id": booking["id"], "action": action} | inputs)


def offered(sdk: Sdk, room: str) -> list[str]:
    """Return when the room's free hours from ten to noon start."""
    wanted = {"resources": [room], "from": TEN, "to": NOON, "length": "1 hour"}
    found = sdk("fetchAvailability", wanted)
    assert (found.rejected, found.status) == (False, 200)
    assert all(one["resources"][0]["id"] == room for one in found.data)
    return [one["start"] for one in found.data]
