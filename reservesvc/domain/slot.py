"""A slot: a resource and a half-open interval of time.

Knows how intervals overlap and how much of a capacity they use at once. Times are
milliseconds since the Unix epoch everywhere below the HTTP interface.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

RESOURCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
RESOURCE_ID_RULE = (
    "must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and begin with a letter or a digit"
)
CAPACITY_MAX = 250
"""Most units a resource can have. A claim on a full one looks at every entry, and Redis answers
nobody else meanwhile: so many take it half a millisecond (docs/performance.md)."""


class Slot(NamedTuple):
    """A resource and `[start_ms, end_ms)`; 10–11 and 11–12 do not overlap."""

    resource_id: str
    start_ms: int
    end_ms: int


class Span(NamedTuple):
    """A stretch of time to look in; None stands for no bound."""

    after_ms: int | None = None
    before_ms: int | None = None

    def meets(self, start_ms: int, end_ms: int) -> bool:
        """Tell whether what lasts from `start_ms` to `end_ms` overlaps it."""
        after, before = self.after_ms, self.before_ms
        return (after is None or end_ms > after) and (before is None or start_ms < before)


ANY_TIME = Span()


class Usage(NamedTuple):
    """Units of a resource's capacity in use during `[start_ms, end_ms)`."""

    start_ms: int
    end_ms: int
    quantity: int


Use = tuple[int, int, int]
"""The same without names, where there are ten thousands: start_ms, end_ms, quantity"""


@lru_cache(4096)
def is_resource_id(text: str) -> bool:
    """Tell whether `text` can name a resource."""
    return RESOURCE_ID.fullmatch(text) is not None


def peak(usages: Iterable[Usage], start_ms: int, end_ms: int) -> int:
    """Return the most units in use at any one instant of `[start_ms, end_ms)`."""
    steps: list[tuple[int, int]] = []
    for usage in usages:
        if usage.start_ms < end_ms and usage.end_ms > start_ms:
            steps.append((max(usage.start_ms, start_ms), usage.quantity))
            steps.append((min(usage.end_ms, end_ms), -usage.quantity))
    # At one instant ends sort before starts (they are negative): intervals are half-open.
    steps.sort()
    in_use = most = 0
    for _, change in steps:
        in_use += change
        most = max(most, in_use)
    return most
