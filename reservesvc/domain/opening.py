"""Opening: from constraints to the times at which a resource is open.

An instant is open when the clock on the resource's wall shows an open time. So an hour that the
clock skips is not there to be open, and one that it shows twice is open twice.

How constraints go together, each list by itself: those that allow are of three families, times
of the day, days, and openings (a day with its hours, or a period). Within a family one of them
is enough, and every family that is there must allow: `hours` 9 to 17 with `weekdays` is an
office week, two `day_and_time` are two openings. What any of them blocks is closed. Lists come
from the request or its project and from the resource; open is what all of them leave open.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from functools import reduce
from itertools import chain

from reservesvc.domain.constraints import (
    DAY_MIN,
    WEEKDAYS,
    WEEKEND,
    Constraint,
    Day,
    DayAndTime,
    Days,
    Hours,
    Period,
    Rule,
    Weekday,
    Weekdays,
    Weekends,
)
from reservesvc.domain.intervals import Interval, difference, intersection, merged
from reservesvc.domain.times import MILLISECOND
from reservesvc.domain.zones import DAY_MS, Stretch, stretches

_MINUTE_MS = 60_000
_WEEK_MS = 7 * DAY_MS
_FIRST_MONDAY_MS = 4 * DAY_MS
"""1970-01-05, on the wall"""
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what a clock on a wall shows has no zone
_FAMILY: dict[type[Rule], str] = {
    Hours: "hours",
    Day: "days",
    Days: "days",
    Weekdays: "days",
    Weekends: "days",
    DayAndTime: "openings",
    Period: "openings",
}


def openings(
    lists: Iterable[Sequence[Constraint]], where: tzinfo, start_ms: int, end_ms: int
) -> list[Interval]:
    """Return when a resource in the zone `where` is open within `[start_ms, end_ms)`."""
    on_the_wall = stretches(where, start_ms, end_ms)
    open_ms: list[Interval] = [(start_ms, end_ms)] if start_ms < end_ms else []
    for constraints in lists:
        open_ms = _kept(open_ms, constraints, on_the_wall)
    return open_ms


def _kept(
    open_ms: list[Interval], constraints: Sequence[Constraint], on_the_wall: Sequence[Stretch]
) -> list[Interval]:
    families: dict[str, list[Rule]] = {}
    for constraint in constraints:
        if constraint.effect == "allow":
            families.setdefault(_FAMILY[type(constraint.rule)], []).append(constraint.rule)
    allowed = (_times(rules, on_the_wall) for rules in families.values())
    blocked = [constraint.rule for constraint in constraints if constraint.effect == "block"]
    return difference(reduce(intersection, allowed, open_ms), _times(blocked, on_the_wall))


def _times(rules: Sequence[Rule], on_the_wall: Sequence[Stretch]) -> list[Interval]:
    """Return the instants that any of `rules` is about."""
    periods = [rule for rule in rules if isinstance(rule, Period)]
    weekly = (_times_of_the_week(rule) for rule in rules if not isinstance(rule, Period))
    week = merged(chain.from_iterable(weekly))
    found: list[Interval] = []
    for stretch in on_the_wall:
        found += _clipped([instants(period, stretch.offset_ms) for period in periods], stretch)
        found += _clipped(_repeated(week, stretch), stretch)
    return merged(found)


def _repeated(week: list[Interval], stretch: Stretch) -> list[Interval]:
    """Return the times of a week in every week that `stretch` touches."""
    first_week_ms = stretch.start_ms + stretch.offset_ms - _FIRST_MONDAY_MS
    monday_ms = first_week_ms // _WEEK_MS * _WEEK_MS + _FIRST_MONDAY_MS - stretch.offset_ms
    mondays = range(monday_ms, stretch.end_ms, _WEEK_MS)
    return [(monday + a, monday + b) for monday in mondays for a, b in week]


def _clipped(intervals: Iterable[Interval], stretch: Stretch) -> list[Interval]:
    cut = [(max(a, stretch.start_ms), min(b, stretch.end_ms)) for a, b in intervals]
    return [(a, b) for a, b in cut if a < b]


def instants(period: Period, offset_ms: int = 0) -> Interval:
    """Return when a period is.

    Args:
        period: with offsets of its own, or on a clock.
        offset_ms: how far that clock is ahead of UTC; of no effect on offsets of its own.

    """
    return _instant(period.start, offset_ms), _instant(period.end, offset_ms)


def _instant(moment: datetime, offset_ms: int) -> int:
    offset = moment.utcoffset()
    wall_ms = (moment.replace(tzinfo=None) - _WALL_EPOCH) // MILLISECOND
    return wall_ms - (offset_ms if offset is None else offset // MILLISECOND)


def _times_of_the_week(
    rule: DayAndTime | Hours | Day | Days | Weekdays | Weekends,
) -> list[Interval]:
    """Return what a rule is about in each week, from Monday's midnight on."""
    start_min, end_min = (
        (rule.start_min, rule.end_min) if isinstance(rule, Hours | DayAndTime) else (0, DAY_MIN)
    )
    return [
        (
            WEEKDAYS.index(day) * DAY_MS + start_min * _MINUTE_MS,
            WEEKDAYS.index(day) * DAY_MS + end_min * _MINUTE_MS,
        )
        for day in _days(rule)
    ]


def _days(rule: DayAndTime | Hours | Day | Days | Weekdays | Weekends) -> Sequence[Weekday]:
    match rule:
        case Day() | DayAndTime():
            return (rule.day,)
        case Days():
            return rule.days
        case Weekdays():
            return tuple(day for day in WEEKDAYS if day not in WEEKEND)
        case Weekends():
            return WEEKEND
        case Hours():
            return WEEKDAYS
