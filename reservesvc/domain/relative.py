"""Times and lengths in plain English: `now`, `tomorrow`, `3 days 2 weeks`, `2 hours ago`.

The forms are those that Timekit documents for searching ("1 day", "2 weeks", "tomorrow", sums
like "3 days 2 weeks", "-1 hour"). Days and longer are counted on the clock on the wall, so that
`1 day` is the same time tomorrow across a change of the clock; hours and shorter have passed.

An amount is a number or a word for one, and a unit. A length is one or more amounts. A time is
`now`, `today`, `tomorrow` or `yesterday`, amounts, or one after the other; amounts may have `in`
before them, or `ago` or `from now` after them. Nothing else may stand in a text, but for spaces
and commas between words.
"""

import re
from calendar import monthrange
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

from reservesvc.domain import times
from reservesvc.domain.zones import DAY_MS, HOUR_MS, instant_of, wall_of

_AMOUNTS_RULE = (
    "numbers, each with a unit from seconds to {longest}; only hours, minutes and seconds may have "
    "decimals, at most three"
)
INSTANT_RULE = (
    f"{times.TIME_RULE}; or now, today, tomorrow, yesterday, or an amount from now such as 3 days, "
    f"1 week 12 hours or 2 hours ago: {_AMOUNTS_RULE.format(longest='years')}"
)
LENGTH_RULE = (
    "must be a length such as 1 hour, 90 minutes, 1.5 hours or 1 hour 30 minutes: "
    f"{_AMOUNTS_RULE.format(longest='weeks')}"
)


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
_COUNTS: dict[str, int] = {"a": 1, "an": 1, "one": 1, "next": 1, "last": -1}
_ANCHORS = {"now": None, "today": 0, "tomorrow": 1, "yesterday": -1}
"""words that stand first; those with a number mean a midnight, so many days from today"""
_WORDS = re.compile(r"[a-z]+|[+-]?\d{1,6}(?:\.\d{1,3})?(?![\d.])", re.ASCII)
_NO_WORDS = re.compile(r"[\s,]*", re.ASCII)
_TEXT_MAX = 100
"""characters, which keeps what a text may cost small"""


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
    midnight: int | None = None
    is_anchored = bool(words) and words[0] in _ANCHORS
    if is_anchored:
        midnight = _ANCHORS[words[0]]
        words = words[1:]
    amounts, sign = _without_ending(words)
    units = _summed(amounts)
    if units is None or (not amounts and (words or not is_anchored)):
        return None
    try:
        return _counted(now_ms, midnight, Unit(*(sign * part for part in units)), where)
    except (ValueError, OverflowError):
        return None  # no calendar reaches that far


def length_ms(text: str) -> int | None:
    """Return the length that `text` names, or None if it names none.

    A day has 24 hours here; a month has no length.
    """
    words = _words(text)
    units = _summed(words)
    if not words or units is None or units.months:
        return None
    found_ms = units.passing_ms + units.days * DAY_MS
    return found_ms if found_ms >= 0 else None


def _words(text: str) -> list[str]:
    """Return the words and numbers of `text`; none where there is anything else in it."""
    lower = text.lower()
    # What is no ASCII may become so in lower case: the sign of the kelvin does.
    if len(text) > _TEXT_MAX or not text.isascii():
        return []
    if not _NO_WORDS.fullmatch(_WORDS.sub("", lower)):
        return []
    return _WORDS.findall(lower)


def _without_ending(words: list[str]) -> tuple[list[str], int]:
    """Return the amounts, and -1 where they are to be counted backwards, else 1."""
    if words[-1:] == ["ago"]:
        return words[:-1], -1
    if words[-2:] == ["from", "now"]:
        return words[:-2], 1
    return (words[1:] if words[:1] == ["in"] else words), 1


def _summed(words: list[str]) -> Unit | None:
    """Return what pairs of a number and a unit come to; None where they are no such pairs."""
    if len(words) % 2:
        return None
    total = Unit()
    for count, name in zip(words[::2], words[1::2], strict=True):
        amount = _amount(count, name)
        if amount is None:
            return None
        total = Unit(*(sum_ + part for sum_, part in zip(total, amount, strict=True)))
    return total


def _amount(count: str, name: str) -> Unit | None:
    """Return one amount; None where its unit is none, or is one of the calendar and not whole."""
    unit = _UNITS.get(name.removesuffix("s"))
    number = _COUNTS.get(count) if count.isalpha() else Decimal(count)
    if unit is None or number is None:
        return None
    if unit.passing_ms == 0 and number != int(number):
        return None
    return Unit(*(int(number * part) for part in unit))


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
