"""What is asked for: slots that nobody asked for before, and the body that asks."""

from datetime import UTC, datetime, timedelta

import msgspec

RESOURCES = 8
"""over which slots are spread"""
KEY = "bench-0123456789abcdef"
"""the API key of whoever sends the load; of scope admin, for a row that registers a resource"""
DURATION_S = 3_600
"""longer than any run: nothing lapses that is not meant to"""
BASE = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=7)
"""the first minute; no run lasts until it is over, when bookings begin to complete by themselves"""
MINUTE = timedelta(minutes=1)
LENGTH = timedelta(seconds=59)

TEXTS = {"what": "Haircut", "where": "Main street 1", "description": "Short, please"}
CUSTOMER = {"name": "Ada Lovelace", "email": "ada@example.com"}
_BODY = {
    "resource_id": "|RESOURCE|",
    "start": "|START|",
    "end": "|END|",
    "duration": DURATION_S,
    **TEXTS,
    "customer": CUSTOMER,
}
TEMPLATE = msgspec.json.encode(_BODY).decode()


class Slots:
    """Hands out slots by number: of minute n, one for each resource."""

    def __init__(self) -> None:
        self.first = 0
        """the first slot nobody has asked for"""

    def take(self) -> int:
        """Return the number of one free slot."""
        return self.skip(1)

    def skip(self, count: int) -> int:
        """Count `count` slots as asked for and return the first of them.

        The next one begins a minute of its own, whatever number of resources is used there.
        """
        first = self.first
        self.first += -(-count // RESOURCES) * RESOURCES
        return first


def resource_ids(count: int = RESOURCES) -> list[str]:
    """Return the resources over which slots are spread."""
    return [f"room-{number}" for number in range(count)]


def start_ms(slot: int) -> int:
    """Return when the slot of this number starts, as the index has it."""
    return int((BASE + MINUTE * (slot // RESOURCES)).timestamp() * 1000)


def body(slot: int) -> dict[str, object]:
    """Return the body that asks for the slot of this number."""
    start = BASE + MINUTE * (slot // RESOURCES)
    texts = {
        "resource_id": f"room-{slot % RESOURCES}",
        "start": rfc3339(start),
        "end": rfc3339(start + LENGTH),
    }
    return {**_BODY, **texts}


def rfc3339(moment: datetime) -> str:
    """Return the moment as wrk.lua writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
