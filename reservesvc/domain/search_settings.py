"""What a project's `availability` may say: checked as it is set, long before a search uses it."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from reservesvc.domain.offers import MODES
from reservesvc.domain.relative import INSTANT_RULE, LENGTH_RULE, instant, length_ms
from reservesvc.domain.zones import ZONE_RULE, zone

_SOME_MS = 1_800_000_000_000
"""an instant to be relative to; which one makes no text right or wrong"""


def _is_instant(text: str) -> bool:
    return instant(text, _SOME_MS, UTC) is not None


def _is_length(text: str) -> bool:
    return length_ms(text) is not None


RULES: dict[str, tuple[type, Callable[[Any], bool], str]] = {
    "mode": (str, MODES.__contains__, f"must be one of: {', '.join(MODES)}"),
    "from": (str, _is_instant, INSTANT_RULE),
    "to": (str, _is_instant, INSTANT_RULE),
    "length": (str, _is_length, LENGTH_RULE),
    "buffer": (str, _is_length, LENGTH_RULE),
    "timeslot_increments": (str, _is_length, LENGTH_RULE),
    "output_timezone": (str, lambda name: zone(name) is not None, ZONE_RULE),
    "round_to_nearest_hour": (bool, lambda _: True, "must be true or false"),
}
"""member → its type, what holds for it, and that in words"""


def broken(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the members that break a rule, and which; null and unknown ones break none."""
    given = {name: settings.get(name) for name in RULES}
    return {
        name: rule
        for name, (kind, holds, rule) in RULES.items()
        if given[name] is not None and not (type(given[name]) is kind and holds(given[name]))
    }
