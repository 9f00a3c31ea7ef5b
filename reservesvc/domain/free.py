"""Free time: when a resource is open and has units of its capacity left, and which slots fit.

What is in the way takes slots off the grid and never moves it, so that a booking until 10:20 does
not make every later slot begin at 20 past.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from reservesvc.domain.intervals import Interval, difference, merged
from reservesvc.domain.slot import Use


def blocked(usages: Iterable[Use], capacity: int, buffer_ms: int) -> list[Interval]:
    """Return when `capacity` units are in use, each use longer by `buffer_ms` at both its ends."""
    if capacity == 1:
        return merged([(start - buffer_ms, end + buffer_ms) for start, end, _ in usages])
    steps: list[tuple[int, int]] = []
    for start_ms, end_ms, quantity in usages:
        steps.append((start_ms - buffer_ms, quantity))
        steps.append((end_ms + buffer_ms, -quantity))
    # At one instant ends sort before starts (they are negative): intervals are half-open.
    steps.sort()
    full: list[Interval] = []
    in_use, full_since_ms = 0, None
    for instant_ms, change in steps:
        in_use += change
        if full_since_ms is None and in_use >= capacity:
            full_since_ms = instant_ms
        elif full_since_ms is not None and in_use < capacity:
            full.append((full_since_ms, instant_ms))
            full_since_ms = None
    return merged(full)


def free_times(
    opened: list[Interval],
    usages: Iterable[Use],
    capacity: int,
    buffer_ms: int = 0,
    quantity: int = 1,
) -> list[Interval]:
    """Return when a resource is open and has `quantity` units left, as `blocked` counts them."""
    if quantity > capacity:
        return []
    return difference(opened, blocked(usages, capacity - quantity + 1, buffer_ms))


def starts(free: list[Interval], grid: Sequence[int], length_ms: int) -> list[int]:
    """Return the starts on the grid from which a slot is free for all its length."""
    found: list[int] = []
    for start_ms, end_ms in free:
        first = bisect_left(grid, start_ms)
        found += grid[first : bisect_right(grid, end_ms - length_ms, first)]
    return found
