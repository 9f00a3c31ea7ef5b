"""The grid: the times at which slots of a resource can begin, whatever is in the way.

On the resource's clock, slots begin at the same times every day: where the resource opens on that
day, plus whole increments. A resource that is open at midnight opens on the new day at midnight.
The grid is computed on the clock, as if it never changed, and then turned into instants: a start
that the clock skips is left out, and of one that it shows twice the first counts. So the grid
does not depend on when a search begins.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from msgspec.structs import replace

from reservesvc.domain.constraints import Constraint, Period
from reservesvc.domain.intervals import Interval
from reservesvc.domain.opening import instants, openings
from reservesvc.domain.zones import DAY_MS, full_hour, stretches, wall_of

_AROUND_MS = 2 * DAY_MS
"""No clock is ever set by more than a day: what it showed within two days tells the rest."""


class Opened(NamedTuple):
    """When a resource is open, and where its slots can begin."""

    times: list[Interval]
    grid: list[int]


def opened(
    lists: Collection[Sequence[Constraint]],
    where: tzinfo,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    *,
    rounds: bool,
) -> Opened:
    """Return when a resource is open within `[start_ms, end_ms)`, with its grid there.

    Args:
        lists: the constraints that open and close the resource.
        where: the resource's time zone.
        start_ms: the earliest start, where `rounds` is false.
        end_ms: the latest end.
        step_ms: from one start to the next.
        rounds: whether a resource that is open at `start_ms` begins at the next full hour.

    """
    times = openings(lists, where, start_ms, end_ms)
    is_open = bool(times) and times[0][0] == start_ms
    earliest_ms = full_hour(where, start_ms) if rounds and is_open else start_ms
    return Opened(times, grid(lists, where, earliest_ms, end_ms, step_ms))


def grid(
    lists: Iterable[Sequence[Constraint]],
    where: tzinfo,
    start_ms: int,
    end_ms: int,
    step_ms: int,
) -> list[int]:
    """Return the starts of slots within `[start_ms, end_ms)`, in order.

    Args:
        lists: the constraints that open and close the resource, as `openings` takes them.
        where: the resource's time zone.
        start_ms: the earliest start; it cuts the grid and does not move it.
        end_ms: where the grid ends; a start before it may belong to a slot that is cut off by it.
        step_ms: from one start to the next.

    """
    around = start_ms - _AROUND_MS, end_ms + _AROUND_MS
    on_the_wall = [_on_the_wall(constraints, where, around) for constraints in lists]
    found: list[int] = []
    shown_ms = 0
    for begin_ms, stretch_end_ms, offset_ms in stretches(where, around[0], end_ms):
        first_ms = max(max(begin_ms, start_ms) + offset_ms, shown_ms)
        shown_ms = max(shown_ms, stretch_end_ms + offset_ms)
        if first_ms < stretch_end_ms + offset_ms:
            walls = _walls(on_the_wall, first_ms, stretch_end_ms + offset_ms, step_ms)
            found += [wall_ms - offset_ms for wall_ms in walls]
    return found


def _walls(
    lists: list[list[Constraint]], first_ms: int, end_ms: int, step_ms: int
) -> Iterator[int]:
    """Yield the starts that a clock shows within `[first_ms, end_ms)`."""
    # A clock that never changes is one in UTC.
    for open_ms, close_ms in openings(lists, UTC, first_ms // DAY_MS * DAY_MS, end_ms):
        for midnight_ms in range(open_ms // DAY_MS * DAY_MS, close_ms, DAY_MS):
            origin_ms = max(open_ms, midnight_ms)
            skipped = max(0, -((origin_ms - first_ms) // step_ms))
            last_ms = min(close_ms, midnight_ms + DAY_MS)
            yield from range(origin_ms + skipped * step_ms, last_ms, step_ms)


def _on_the_wall(
    constraints: Sequence[Constraint], where: tzinfo, around: Interval
) -> list[Constraint]:
    """Return the constraints that say where the grid begins, all of them on the resource's clock.

    A period that is blocked once is in the way like a booking and moves no slot of its day.
    """
    return [
        Constraint(effect="allow", rule=_period(each.rule, where, around))
        if isinstance(each.rule, Period)
        else each
        for each in constraints
        if each.effect == "allow" or not isinstance(each.rule, Period)
    ]


def _period(period: Period, where: tzinfo, around: Interval) -> Period:
    """Return the part of `period` that lies around the search, on the clock of `where`."""
    if period.start.tzinfo is None:
        return period
    start_ms, end_ms = instants(period)
    start_ms, end_ms = max(start_ms, around[0]), min(end_ms, around[1])
    return replace(
        period,
        start=wall_of(where, min(start_ms, around[1])),
        end=wall_of(where, max(end_ms, around[0])),
    )
