"""Times in plain English: `now`, `tomorrow`, `3 days 2 weeks`, `2 hours ago`.

The forms are those that Timekit documents for searching ("1 day", "2 weeks", "tomorrow", sums
like "3 days 2 weeks", "-1 hour"). Days and longer are counted on the clock on the wall, so that
`1 day` is the same time tomorrow across a change of the clock; hours and shorter have passed.
"""

import re
from calendar import monthrange
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from reservesvc.domain import times
from reservesvc.domain.zones import DAY_MS, HOUR_MS, instant_of, wall_of

INSTANT_RULE = (
    "must be an RFC 3339 time with an offset, such as 2026-12-01T10:00:00Z, or plain English, "
    "such as now, tomorrow, 3 days or 2 hours ago"
)
LENGTH_RULE = "must be a length such as 1 hour, 90 minutes or 1 hour 30 minutes"


class Unit(NamedTuple):
    """One of a unit: either time that passes, or a step on the calendar."""

    passing_ms: int = 0
    days: int = 0
    months: int = 0


_UNITS = {
    "second": Unit(passing_ms=1_000),
    "sec": Unit(passing_ms=1_000),
    "minute": Unit(passing_ms=60_000),
    "min": Unit(passing_ms=60_000),
    "hour": Unit(passing_ms=HOUR_MS),
    "day": Unit(days=1),
    "week": Unit(days=7),
    "fortnight": Unit(days=14),
    "month": Unit(months=1),
    "year": Unit(months=12),
}
_COUNTS = {"a": 1, "an": 1, "one": 1, "next": 1, "last": -1}
_ANCHORS = {"now": None, "today": 0, "tomorrow": 1, "yesterday": -1}
"""words that stand first; those with a number mean a midnight, so many days from today"""
_WORDS = re.compile(r"[+-]?[0-9]{1,6}|[a-z]+", re.ASCII)
_NO_WORDS = re.compile(r"[\s,]*", re.ASCII)
_TEXT_MAX = 100


def instant(text: str, now_ms: int, where: tzinfo) -> int | None:
    """Return the instant that `text` names, or None if it names none.

    Args:
        text: RFC 3339, or plain English.
        now_ms: what it is relative to.
        where: the zone whose midnights and days are meant.

    """
    absolute_ms = times.parse(text)
    if absolute_ms is not None:
        return absolute_ms
    words = _words(text)
    if not words:
        return None
    is_anchored = words[0] in _ANCHORS
    units = _summed(_without_ending(words[1:] if is_anchored else words))
    if units is None or (units == Unit() and not is_anchored and "0" not in text):
        return None
    if words[-1] == "ago":
        units = Unit(-units.passing_ms, -units.days, -units.months)
    midnight = _ANCHORS[words[0]] if is_anchored else None
    try:
        return _counted(now_ms, midnight, units, where)
    except (ValueError, OverflowError):
        return None  # no calendar reaches that far


def length_ms(text: str) -> int | None:
    """Return the length that `text` names, or None if it names none.

    A day has 24 hours here; a month has no length.
    """
    units = _summed(_words(text))
    if units is None or units.months or not text.strip():
        return None
    found_ms = units.passing_ms + units.days * DAY_MS
    return found_ms if found_ms >= 0 else None


def _words(text: str) -> list[str]:
    """Return the words and numbers of `text`; none where there is anything else in it."""
    lower = text.lower()
    if len(text) > _TEXT_MAX or not _NO_WORDS.fullmatch(_WORDS.sub("", lower)):
        return []
    return _WORDS.findall(lower)


def _without_ending(words: list[str]) -> list[str]:
    """Leave out what only says which way to count; forward is how one counts anyway."""
    if words[-1:] == ["ago"]:
        return words[:-1]
    if words[-2:] == ["from", "now"]:
        return words[:-2]
    return words[1:] if words[:1] == ["in"] else words


def _summed(words: list[str]) -> Unit | None:
    """Return what pairs of a number and a unit come to; None where they are no such pairs."""
    if len(words) % 2:
        return None
    total = Unit()
    for count, name in zip(words[::2], words[1::2], strict=True):
        unit = _UNITS.get(name.removesuffix("s"))
        number = _COUNTS.get(count) if count.isalpha() else int(count)
        if unit is None or number is None:
            return None
        total = Unit(*(sum_ + number * part for sum_, part in zip(total, unit, strict=True)))
    return total


def _counted(now_ms: int, midnight: int | None, units: Unit, where: tzinfo) -> int | None:
    instant_ms = now_ms
    days = units.days + (midnight or 0)
    if midnight is not None or days or units.months:
        wall = wall_of(where, now_ms)
        if midnight is not None:
            wall = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        wall = _months_later(wall, units.months) + timedelta(days=days)
        instant_ms = instant_of(where, wall)
    instant_ms += units.passing_ms
    return instant_ms if instant_ms >= 0 else None


def _months_later(wall: datetime, months: int) -> datetime:
    """Return the same day of another month, or its last day where it is shorter."""
    year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    day = min(wall.day, monthrange(year, month + 1)[1])
    return wall.replace(year=year, month=month + 1, day=day)
