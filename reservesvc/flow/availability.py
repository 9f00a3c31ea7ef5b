"""availability: which slots could be reserved, of which of many resources.

What is in the way is read in a few steps, however many resources there are: a warm index knows
all that blocks its resource, so Redis alone is asked; the booking store only where an index is
cold, once for all of these. Nothing is resynced, for nothing is to be changed.

An answer is of the moment it was read in. Whoever reserves is judged anew.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC

from msgspec import Struct

from reservesvc.domain.availability import (
    AvailabilityWish,
    Search,
    asked_resources,
    complete,
    too_many,
)
from reservesvc.domain.constraints import Constraint
from reservesvc.domain.entry import Entry
from reservesvc.domain.free import free_times, starts
from reservesvc.domain.grid import Opened, opened
from reservesvc.domain.offers import Offer, offers, preferred
from reservesvc.domain.outcomes import Invalid
from reservesvc.domain.project import Resource
from reservesvc.domain.slot import Use
from reservesvc.domain.wish import Limits
from reservesvc.domain.zones import zone
from reservesvc.ports import ColdUsages, Stores

TURN = 4
"""Resources computed in one turn of the event loop; others wait a few milliseconds for it"""


class Available(Struct, frozen=True, kw_only=True):
    """What can be had."""

    search: Search
    resources: list[Resource]
    """in the order that the places of offers count in"""
    offers: list[Offer]


async def availability(
    stores: Stores, limits: Limits, wish: AvailabilityWish
) -> Available | Invalid:
    """Return the slots that `wish` asks for and that nothing is in the way of."""
    project = await stores.settings.project(wish.project_id) if wish.project_id else None
    asked = await stores.settings.resources(asked_resources(wish, project))
    search = complete(wish, project, asked, await stores.reservations.now_ms(), limits)
    if search is None:
        return Invalid(errors=wish.errors)
    resources = preferred(search.mode, search.resources, stores.ids.token())
    in_use = await _in_use(stores, [each.id for each in resources], search)
    found = await _offers(search, resources, in_use)
    if isinstance(found, Invalid):
        return found
    return Available(search=search, resources=resources, offers=found)


class _InUse(Struct, frozen=True, kw_only=True):
    """What uses the capacity of resources, as the two stores tell it."""

    warm: dict[str, list[Use]]
    live: dict[str, list[Entry]]
    """of cold indexes: the reservations"""
    booked: dict[str, list[Entry]]
    """of cold indexes: the bookings, which may once have been such reservations"""

    def of(self, resource_id: str) -> list[Use]:
        """Return what uses the capacity of one resource, each once."""
        if resource_id in self.warm:
            return self.warm[resource_id]
        entries = {each.id: each for each in self.live[resource_id]}
        entries |= {each.id: each for each in self.booked.get(resource_id, ())}
        return [(each.start_ms, each.end_ms, each.quantity) for each in entries.values()]


async def _in_use(stores: Stores, ids: Sequence[str], search: Search) -> _InUse:
    """Read what is in use around and within the search's time.

    Redis is asked first: what is no longer there has been committed by then, and the booking
    store has it. The other way round a hand-off could pass between the two.
    """
    start_ms, end_ms = search.start_ms - search.buffer_ms, search.end_ms + search.buffer_ms
    found = dict(zip(ids, await stores.reservations.usages(ids, start_ms, end_ms), strict=True))
    live = {each: use.live for each, use in found.items() if isinstance(use, ColdUsages)}
    booked: dict[str, list[Entry]] = {}
    if live:
        booked = await stores.bookings.blocking_between(list(live), start_ms, end_ms)
    warm = {each: use for each, use in found.items() if not isinstance(use, ColdUsages)}
    return _InUse(warm=warm, live=live, booked=booked)


async def _offers(
    search: Search, resources: Sequence[Resource], in_use: _InUse
) -> list[Offer] | Invalid:
    found = offers(search.mode)
    known: dict[tuple[str, tuple[Constraint, ...]], Opened] = {}
    places = 0
    for place, resource in enumerate(resources):
        alike = resource.timezone, resource.availability_constraints
        is_new = alike not in known
        if is_new:
            known[alike] = _opened(search, resource)
        times, grid = known[alike]
        places += len(grid)
        errors = too_many(search, places)
        if errors is not None:
            return Invalid(errors=errors)
        used = in_use.of(resource.id)
        free = free_times(times, used, resource.capacity, search.buffer_ms, search.quantity)
        found.add(place, starts(free, grid, search.length_ms))
        if is_new or place % TURN == 0:
            await asyncio.sleep(0)
    return found.all()


def _opened(search: Search, resource: Resource) -> Opened:
    where = zone(resource.timezone) or UTC  # `complete` lets no other through
    lists = (search.constraints, resource.availability_constraints)
    return opened(
        lists, where, search.start_ms, search.end_ms, search.step_ms, rounds=search.rounds
    )
