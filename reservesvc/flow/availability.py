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

from reservesvc.domain.availability import AvailabilityWish, Search, asked_resources, complete
from reservesvc.domain.constraints import Constraint
from reservesvc.domain.entry import Entry
from reservesvc.domain.free import free_times
from reservesvc.domain.intervals import Interval
from reservesvc.domain.offers import Offer, offers, preferred
from reservesvc.domain.opening import openings
from reservesvc.domain.outcomes import Invalid
from reservesvc.domain.project import Resource
from reservesvc.domain.slot import Usage
from reservesvc.domain.wish import Limits
from reservesvc.domain.zones import full_hour, zone
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
    usages = await _usages(stores, [each.id for each in resources], search)
    found = await _offers(search, resources, usages)
    return Available(search=search, resources=resources, offers=found)


async def _usages(stores: Stores, ids: Sequence[str], search: Search) -> list[list[Usage]]:
    """Return what uses the capacity of each resource around and within the search's time.

    Redis is asked first: what is no longer there has been committed by then, and the booking
    store has it. The other way round a hand-off could pass between the two.
    """
    start_ms, end_ms = search.start_ms - search.buffer_ms, search.end_ms + search.buffer_ms
    found = await stores.reservations.usages(ids, start_ms, end_ms)
    cold = [each for each, use in zip(ids, found, strict=True) if isinstance(use, ColdUsages)]
    booked: dict[str, list[Entry]] = {each: [] for each in cold}
    if cold:
        for entry in await stores.bookings.blocking_between(cold, start_ms, end_ms):
            booked[entry.resource_id].append(entry)
    return [
        _together(use.live, booked[each]) if isinstance(use, ColdUsages) else use
        for each, use in zip(ids, found, strict=True)
    ]


def _together(live: list[Entry], booked: list[Entry]) -> list[Usage]:
    """Return what both say, counting once what is a reservation here and a booking there."""
    entries = {entry.id: entry for entry in (*live, *booked)}
    return [Usage(each.start_ms, each.end_ms, each.quantity) for each in entries.values()]


async def _offers(
    search: Search, resources: Sequence[Resource], usages: Sequence[list[Usage]]
) -> list[Offer]:
    found = offers(search.mode, search.length_ms, search.step_ms)
    opened: dict[tuple[str, tuple[Constraint, ...]], list[Interval]] = {}
    for place, (resource, used) in enumerate(zip(resources, usages, strict=True)):
        alike = resource.timezone, resource.availability_constraints
        if alike not in opened:
            opened[alike] = _opened(search, resource)
        found.add(place, free_times(opened[alike], used, resource.capacity, search.buffer_ms))
        if place % TURN == 0:
            await asyncio.sleep(0)
    return found.all()


def _opened(search: Search, resource: Resource) -> list[Interval]:
    where = zone(resource.timezone) or UTC  # `complete` lets no other through
    start_ms = full_hour(where, search.start_ms) if search.rounds else search.start_ms
    lists = (search.constraints, resource.availability_constraints)
    return openings(lists, where, start_ms, search.end_ms)
