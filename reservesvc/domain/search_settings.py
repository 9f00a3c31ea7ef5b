"""What the settings of a search may be: in a request, and in a project's `availability`.

A project's are checked as it is stored, long before a search uses them, and by the same rules.
"""

from collections.abc import Callable, Mapping
from datetime import UTC
from functools import partial
from typing import Any

from reservesvc.domain.offers import MODES
from reservesvc.domain.relative import INSTANT_RULE, LENGTH_RULE, instant, length_ms
from reservesvc.domain.slot import CAPACITY_MAX
from reservesvc.domain.whole import whole
from reservesvc.domain.zones import ZONE_RULE, zone

LENGTH_MS_MIN = 60_000
_SOME_MS = 1_800_000_000_000
"""an instant to be relative to; which one makes no text right or wrong"""
_KIND_RULES: dict[type, str] = {
    bool: "must be true or false",
    int: "must be a whole number",
    str: "must be a string",
}


def _mode(value: str, _: int) -> str | None:
    return None if value in MODES else f"must be one of: {', '.join(MODES)}"


def _quantity(value: int, _: int) -> str | None:
    return None if 1 <= value <= CAPACITY_MAX else f"must be from 1 to {CAPACITY_MAX}"


def _instant(value: str, _: int) -> str | None:
    return INSTANT_RULE if instant(value, _SOME_MS, UTC) is None else None


def _length(least_ms: int, value: str, slot_s_max: int) -> str | None:
    found_ms = length_ms(value)
    if found_ms is None:
        return LENGTH_RULE
    if not least_ms <= found_ms <= slot_s_max * 1000:
        return f"must be from {least_ms // 1000} to {slot_s_max} seconds"
    return None


def _zone(value: str, _: int) -> str | None:
    return ZONE_RULE if zone(value) is None else None


RULES: dict[str, tuple[type, Callable[[Any, int], str | None]]] = {
    "mode": (str, _mode),
    "quantity": (int, _quantity),
    "from": (str, _instant),
    "to": (str, _instant),
    "length": (str, partial(_length, LENGTH_MS_MIN)),
    "buffer": (str, partial(_length, 0)),
    "timeslot_increments": (str, partial(_length, LENGTH_MS_MIN)),
    "output_timezone": (str, _zone),
    "round_to_nearest_hour": (bool, lambda *_: None),
}
"""setting → its type, and what names the rule that a value breaks, given the longest slot"""


def broken(settings: Mapping[str, Any], slot_s_max: int) -> dict[str, str]:
    """Return the settings that break a rule, and which; null and unknown ones break none.

    Args:
        settings: as JSON has them.
        slot_s_max: how long slots may be.

    """
    found: dict[str, str] = {}
    for name, (kind, rule_of) in RULES.items():
        value = whole(settings.get(name))
        if value is None:
            continue
        rule = rule_of(value, slot_s_max) if type(value) is kind else _KIND_RULES[kind]
        if rule is not None:
            found[name] = rule
    return found
