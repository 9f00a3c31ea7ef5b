"""A resource's index as a whole: read, found among others, and built anew by a resync."""

from typing import Any

import msgspec

from reservesvc.domain.outcomes import Busy, Cold
from reservesvc.domain.reservation import ReservationId
from reservesvc.ports import Index, IndexEntry, Snapshot
from reservesvc.reservations.answers import index_entry, unexpected
from reservesvc.reservations.keys import ANY_ULID
from reservesvc.reservations.packed import Argument
from reservesvc.reservations.scripted import Scripted

BUSY_PAGE = 256
SCANNED = 100
"""Keys that one step of a search for indexes looks at."""
EVER = ("-inf", "+inf")

_json = msgspec.json.Encoder().encode


class Indexes(Scripted):
    """Reads and rebuilds indexes."""

    async def index(self, resource_id: str) -> Index | Cold:
        """Return every entry of the resource that is not dead."""
        entries: list[IndexEntry] = []
        offset = 0
        while True:
            page = await self._busy(resource_id, offset)
            if isinstance(page, Cold):
                return page
            now_ms, rows, looked = page
            entries += (index_entry(resource_id, row) for row in rows)
            offset += looked
            if looked < BUSY_PAGE:
                return Index(since_ms=now_ms - self._times.past_ms, entries=entries)

    async def indexes(self, cursor: int) -> tuple[list[str], int]:
        """Return some resources that have an index, and where to go on; 0 begins and ends."""
        pattern = self._keys.slots_pattern()
        following, names = await self._command("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
        found = (self._keys.resource_of_slots(name.decode()) for name in names)
        return [resource_id for resource_id in found if resource_id is not None], int(following)

    async def _busy(self, resource_id: str, offset: int) -> tuple[int, list[list[Any]], int] | Cold:
        keys = [
            self._keys.reservation(ReservationId(resource_id, ANY_ULID)),
            self._keys.slots(resource_id),
            self._keys.fence(resource_id),
        ]
        match await self._call(self._scripts["busy"], keys, (*EVER, offset, BUSY_PAGE)):
            case [b"cold"]:
                return Cold()
            case [b"busy", now_ms, *parts, looked]:
                return now_ms, [parts[i : i + 6] for i in range(0, len(parts), 6)], looked
            case answer:
                raise unexpected("busy", answer)

    async def resync_begin(self, resource_id: str) -> tuple[str, int] | Busy:
        """Take a ticket for a resync; return it and the earliest end its snapshot must have."""
        ticket = self._ids.token()
        answer = await self._call(
            self._scripts["resync_begin"],
            [self._keys.resync(resource_id)],
            (ticket, self._times.ticket_ms, self._times.patience_ms),
        )
        match answer:
            case [b"begun", now_ms]:
                return ticket, now_ms - self._times.past_ms
            case [b"busy"]:
                return Busy()
            case _:
                raise unexpected("resync_begin", answer)

    async def resync_install(self, resource_id: str, ticket: str, snapshot: Snapshot) -> bool:
        """Make the snapshot the index, if no later ticket was taken."""
        any_id = ReservationId(resource_id, ANY_ULID)
        keys = [
            self._keys.reservation(any_id),
            self._keys.slots(resource_id),
            self._keys.fence(resource_id),
            self._keys.resync(resource_id),
            self._keys.overlap(resource_id),
            self._keys.ended(any_id),
        ]
        # Numbers as text: Lua's cjson reads them as doubles, and no reader should wonder.
        bookings = [
            [str(e.start_ms), str(e.end_ms), str(e.quantity), e.id, booking.booking_id]
            for booking in snapshot.bookings
            for e in [booking.entry]
        ]
        arguments: list[Argument] = [
            snapshot.fence,
            ticket,
            self._times.index_ttl_ms,
            self._times.ended_ms,
            _json(bookings),
        ]
        match await self._call(self._scripts["resync_install"], keys, arguments):
            case [b"installed", _]:
                return True
            case [b"stale"]:
                return False
            case answer:
                raise unexpected("resync_install", answer)
