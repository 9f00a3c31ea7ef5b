"""`/v2/availability`: which slots are free, of which resources."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable

import msgspec

from reservesvc.api import constraints, replies, schemas
from reservesvc.api.call import Call
from reservesvc.api.decoding import Decoded
from reservesvc.api.replies import Reply
from reservesvc.api.schemas import AvailabilityBody
from reservesvc.domain import times
from reservesvc.domain.availability import AvailabilityWish, Search
from reservesvc.domain.outcomes import Invalid
from reservesvc.domain.project import Resource
from reservesvc.domain.zones import Stretch, stretches
from reservesvc.flow.availability import Available, availability

TURN = 5_000
"""Resources written in one turn of the event loop; others wait a few milliseconds for it"""
_MINUTE_MS = 60_000
_encode = msgspec.json.Encoder().encode


async def search(call: Call) -> Reply:
    """List the slots that are free."""
    wish = _wish(await call.decode(schemas.AVAILABILITY))
    call.idempotency()  # refused where it would be elsewhere; there is nothing to be kept under it
    outcome = await availability(call.stores, call.limits, wish)
    if isinstance(outcome, Invalid):
        return call.refuse(outcome)
    return replies.raw(await _rendered(outcome))


def _wish(decoded: Decoded[AvailabilityBody]) -> AvailabilityWish:
    body, errors = decoded
    named = {name: getattr(body, name) for name in AvailabilityBody.__struct_fields__}
    named["constraints"] = (
        None
        if body.constraints is None
        else constraints.read(body.constraints, "constraints", errors)
    )
    return AvailabilityWish(**named, errors=errors)


async def _rendered(found: Available) -> bytes:
    """Return the reply's body; large ones are written in several turns."""
    shown = [_shown(resource) for resource in found.resources]
    show, length_ms = _clock(found.search), found.search.length_ms
    parts: list[bytes] = []
    written = 0
    for start_ms, places in found.offers:
        named = b",".join([shown[place] for place in places])
        start, end = show(start_ms), show(start_ms + length_ms)
        parts.append(b'{"start":"%b","end":"%b","resources":[%b]}' % (start, end, named))
        written += len(places)
        if written > TURN:
            written = 0
            await asyncio.sleep(0)
    return b'{"data":[%b]}' % b",".join(parts)


def _shown(resource: Resource) -> bytes:
    named = {"id": resource.id, "name": resource.name, "timezone": resource.timezone}
    return _encode(named)


def _clock(search: Search) -> Callable[[int], bytes]:
    """Return how times are shown: in UTC, or with the offset of the zone that was asked for."""
    if search.output is None:
        return lambda instant_ms: times.render_rare(instant_ms).encode()
    found = stretches(search.output, search.start_ms, search.end_ms + 1)
    begins = [stretch.start_ms for stretch in found]
    offsets = [_offset(stretch) for stretch in found]

    def show(instant_ms: int) -> bytes:
        at = bisect_right(begins, instant_ms) - 1
        wall = times.render_rare(instant_ms + found[at].offset_ms)
        return (wall[:-1] + offsets[at]).encode()

    return show


def _offset(stretch: Stretch) -> str:
    """Return the offset as RFC 3339 has it, which knows whole minutes only."""
    sign = "-" if stretch.offset_ms < 0 else "+"
    hours, minutes = divmod(abs(stretch.offset_ms) // _MINUTE_MS, 60)
    return f"{sign}{hours:02}:{minutes:02}"
