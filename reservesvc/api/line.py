"""The canonical line: what the log tells of a request. Ids and outcomes, no customer's fields."""

from collections.abc import Callable

from msgspec import Struct, structs
from structlog.typing import FilteringBoundLogger

EVENT = "request"


class RequestLine(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag=EVENT
):
    """One request."""

    timestamp: str
    level: str
    method: str
    route: str
    """the row's path, never the request's"""
    status: int
    outcome: str
    duration_ms: float
    caller: str
    request_id: str
    trace_id: str | None = None
    resource_id: str | None = None
    reservation_id: str | None = None
    booking_id: str | None = None
    reason: str | None = None
    """what kept a dependency from doing its part"""


Write = Callable[[RequestLine], None]


def through(log: FilteringBoundLogger) -> Write:
    """Return what writes lines through structlog, one processor after the other."""

    def write(line: RequestLine) -> None:
        known = {name: value for name, value in structs.asdict(line).items() if value is not None}
        del known["timestamp"]  # structlog's own
        log.log(_NUMBERS[known.pop("level")], EVENT, **known)

    return write


_NUMBERS = {"debug": 10, "info": 20}
