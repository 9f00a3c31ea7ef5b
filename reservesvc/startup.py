"""What the service says when it has started: where it is and how to try it."""

from msgspec import Struct

LOOPBACK_NOTE = "without keys, for this machine only; RESERVESVC_API_KEYS sets keys"


class Started(Struct, frozen=True, kw_only=True):
    """Where everything is."""

    url: str
    redis: str
    """the address, without a password"""
    redis_cli: str | None
    """a command that looks inside; None where only the operator knows how"""
    store: str
    day: str
    """a day to try it with, such as 2026-12-24"""
    is_open: bool
    """anybody on this machine may do everything"""


def for_people(started: Started) -> str:
    """Return the lines for a terminal; the last is ready to paste."""
    access = LOOPBACK_NOTE if started.is_open else "to callers with a key"
    key = "" if started.is_open else " \\\n    -H 'Authorization: Bearer YOUR-KEY'"
    rows = [
        f"  listening     {started.url}  ({access})",
        f"  reservations  {started.redis}",
        f"  bookings      {started.store}",
    ]
    if started.redis_cli:
        rows.append(f"  look inside   {started.redis_cli} --scan --pattern 'reservation:*'")
    return (
        "reservesvc is ready\n"
        + "\n".join(rows)
        + f"""

  reserve a slot for a minute:

    curl -s {started.url}/v2/bookings/reserve{key} -d '{{
      "resource_id": "room-1", "duration": 60,
      "start": "{started.day}T10:00:00Z", "end": "{started.day}T11:00:00Z",
      "what": "Haircut", "where": "Main street 1", "description": "Short, please"}}'
"""
    )
