"""Constraints: when a resource may be booked, and when not, whatever else is in the way.

The kinds and their names are Timekit's. A rule holds in the time zone of each resource, and so
follows its clock forward and back. One that allows blocks everything else; one that blocks goes
before any that allows.
"""

from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
"""In the order of `datetime.date.weekday`"""
WEEKEND: tuple[Weekday, ...] = ("saturday", "sunday")
DAY_MIN = 24 * 60
"""Minutes of a day on the clock: the latest end of an hour; a day may really be longer"""


class DayAndTime(Struct, frozen=True, kw_only=True, tag="day_and_time"):
    """Some hours of one day of the week, in minutes after midnight on the clock."""

    day: Weekday
    start_min: int
    end_min: int


class Hours(Struct, frozen=True, kw_only=True, tag="hours"):
    """Some hours of every day, in minutes after midnight on the clock."""

    start_min: int
    end_min: int


class Day(Struct, frozen=True, kw_only=True, tag="day"):
    """One day of the week."""

    day: Weekday


class Days(Struct, frozen=True, kw_only=True, tag="days"):
    """Several days of the week."""

    days: tuple[Weekday, ...]


class Period(Struct, frozen=True, kw_only=True, tag="period"):
    """From `start` to `end`, once.

    Both are instants, with an offset, or both what the resource's clock shows, without one.
    """

    start: datetime
    end: datetime


class Weekdays(Struct, frozen=True, kw_only=True, tag="weekdays"):
    """Monday to Friday."""


class Weekends(Struct, frozen=True, kw_only=True, tag="weekends"):
    """Saturday and Sunday."""


Rule = DayAndTime | Hours | Day | Days | Period | Weekdays | Weekends
Effect = Literal["allow", "block"]
EFFECTS: tuple[Effect, ...] = get_args(Effect)


class Constraint(Struct, frozen=True, kw_only=True):
    """A rule, and whether slots must lie within it or must not touch it."""

    effect: Effect
    rule: Rule
