"""Time zones: what the clock on the wall shows at an instant, across its changes.

Wall times here are milliseconds since 1970-01-01T00:00 on that clock. Between two changes of
the clock the two differ by a constant, the offset: everything is computed in such stretches,
so that an hour which the clock skips is never met, and one that it shows twice is met twice.
"""

from datetime import datetime, timedelta, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reservesvc.domain.times import EPOCH, MILLISECOND

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ZONE_RULE = "must be an IANA time zone name in its own spelling, such as Europe/Berlin"
_NO_PLACE = "Factory"
"""in the database, for clocks that were never set"""


class Stretch(NamedTuple):
    """`[start_ms, end_ms)`, in which the clock on the wall is `offset_ms` ahead of UTC."""

    start_ms: int
    end_ms: int
    offset_ms: int


@cache
def names() -> frozenset[str]:
    """Return the names of all time zones, as the IANA has them.

    They are the same on every machine: a name that only its system knows, such as `localtime`,
    `posixrules` or `right/Europe/Berlin`, is none of them.
    """
    listed = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(listed) - {_NO_PLACE}


@lru_cache(1024)
def zone(name: str) -> ZoneInfo | None:
    """Return the time zone called `name`; None where that is no name of one."""
    return ZoneInfo(name) if name in names() else None


# One search asks for the same stretches for each of its resources.
@lru_cache(64)
def stretches(where: tzinfo, start_ms: int, end_ms: int) -> tuple[Stretch, ...]:
    """Return the stretches that `[start_ms, end_ms)` consists of.

    No zone ever changed its clock and changed it back within a day, so looking once a day
    misses no change (IANA, tz database).
    """
    found: list[Stretch] = []
    at_ms = begun_ms = start_ms
    offset_ms = _offset_ms(where, start_ms)
    while at_ms < end_ms:
        next_ms = min(at_ms + DAY_MS, end_ms)
        if _offset_ms(where, next_ms) != offset_ms:
            next_ms = _change(where, at_ms, next_ms)
            found.append(Stretch(begun_ms, next_ms, offset_ms))
            begun_ms, offset_ms = next_ms, _offset_ms(where, next_ms)
        at_ms = next_ms
    if begun_ms < end_ms:
        found.append(Stretch(begun_ms, end_ms, offset_ms))
    return tuple(found)


def wall_of(where: tzinfo, instant_ms: int) -> datetime:
    """Return what the clock on the wall shows at an instant, without its zone."""
    return (EPOCH + timedelta(milliseconds=instant_ms)).astimezone(where).replace(tzinfo=None)


def instant_of(where: tzinfo, wall: datetime) -> int:
    """Return when the clock on the wall shows `wall`.

    The first time where it does so twice. Where the clock skips it: the instant that is as long
    after midnight as the clock would have been without the change (PEP 495, fold 0).
    """
    return (wall.replace(tzinfo=where) - EPOCH) // MILLISECOND


def full_hour(where: tzinfo, instant_ms: int) -> int:
    """Return the next instant at which the clock shows a full hour, or this one."""
    offset_ms = _offset_ms(where, instant_ms)
    full_ms = -(-(instant_ms + offset_ms) // HOUR_MS) * HOUR_MS - offset_ms
    if _offset_ms(where, full_ms) == offset_ms:
        return full_ms
    return full_hour(where, _change(where, instant_ms, full_ms))


def _offset_ms(where: tzinfo, instant_ms: int) -> int:
    at = (EPOCH + timedelta(milliseconds=instant_ms)).astimezone(where)
    return (at.utcoffset() or timedelta(0)) // MILLISECOND


def _change(where: tzinfo, before_ms: int, after_ms: int) -> int:
    """Return the first instant with the offset of `after_ms`; `before_ms` has another."""
    offset_ms = _offset_ms(where, after_ms)
    while after_ms - before_ms > 1:
        middle_ms = (before_ms + after_ms) // 2
        if _offset_ms(where, middle_ms) == offset_ms:
            after_ms = middle_ms
        else:
            before_ms = middle_ms
    return after_ms
