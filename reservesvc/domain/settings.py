"""The settings of a booking that mean something here; any others are kept and shown.

They are kept as they were sent, in one object; what stands in it was checked before.
"""

from typing import Any

from reservesvc.domain.whole import whole

MAX_SEATS = "max_seats"
TIMEOUT = "timeout"
AUTO_COMPLETE = "auto_complete_one_hour_after_booking_ends"
SEATS_MAX = 1000
"""most seats of a group: all who have one move on in one transaction when it is cancelled"""
UNITS_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
"""in a request, with or without an s at the end"""
TIMEOUT_MS_MAX = 31 * UNITS_MS["day"]


def normal(sent: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with the whole numbers among them as such, whatever form they came in."""
    found = dict(sent)
    if MAX_SEATS in sent:
        found[MAX_SEATS] = whole(sent[MAX_SEATS])
    timeout = sent.get(TIMEOUT)
    if isinstance(timeout, dict):
        found[TIMEOUT] = {name: whole(value) for name, value in timeout.items()}
    return found


def max_seats(settings: dict[str, Any]) -> int:
    """Return how many seats a group has; 0 where nobody said."""
    return settings.get(MAX_SEATS) or 0


def timeout_ms(settings: dict[str, Any]) -> int | None:
    """Return how long to wait for a payment, or None where nobody said."""
    timeout = settings.get(TIMEOUT)
    return None if timeout is None else _in_ms(timeout)


def completes(settings: dict[str, Any]) -> bool:
    """Tell whether the booking completes by itself."""
    return (settings.get(AUTO_COMPLETE) or {}).get("enabled") is not False


def problems(settings: dict[str, Any], *, is_group: bool) -> dict[str, str]:
    """Return the rule that each setting breaks which is not as it must be.

    Args:
        settings: as sent.
        is_group: whether the booking is to have seats.

    """
    checks = {
        MAX_SEATS: _seats_rule(settings.get(MAX_SEATS), is_group=is_group),
        TIMEOUT: _timeout_rule(settings.get(TIMEOUT)),
        AUTO_COMPLETE: _auto_complete_rule(settings.get(AUTO_COMPLETE)),
    }
    return {name: rule for name, rule in checks.items() if rule is not None}


def _seats_rule(value: object, *, is_group: bool) -> str | None:
    if value is None:
        return "is required by this graph: how many seats the group has" if is_group else None
    if type(value) is int and 1 <= value <= SEATS_MAX:
        return None
    return f"must be a whole number from 1 to {SEATS_MAX}"


def _timeout_rule(value: object) -> str | None:
    if value is None or (_is_timeout(value) and 0 < _in_ms(value) <= TIMEOUT_MS_MAX):
        return None
    units = ", ".join(f"{name}s" for name in UNITS_MS)
    days = TIMEOUT_MS_MAX // UNITS_MS["day"]
    return f"must be {{time, unit}}: a whole number of {units}, above 0 and at most {days} days"


def _is_timeout(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    unit = value.get("unit")
    return type(value.get("time")) is int and isinstance(unit, str) and _singular(unit) in UNITS_MS


def _auto_complete_rule(value: object) -> str | None:
    if value is None or (isinstance(value, dict) and type(value.get("enabled")) is bool):
        return None
    return "must be {enabled}, true or false"


def _in_ms(timeout: Any) -> int:  # noqa: ANN401 - as JSON has it, and checked
    milliseconds: int = timeout["time"] * UNITS_MS[_singular(timeout["unit"])]
    return milliseconds


def _singular(unit: str) -> str:
    return unit.removesuffix("s")
