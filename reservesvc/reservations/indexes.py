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
EVER: tuple[Argument, Argument] = ("-inf", "+inf")

_json = msgspec.json.Encoder().encode


class Indexes(Scripted):
    """Reads and rebuilds indexes."""

    async def index(self, resource_id: str, start_ms: int | None = None) -> Index | Cold:
        """Return the entries that are not dead; with `start_ms` only those that begin then."""
        span = EVER if start_ms is None else (start_ms, start_ms + 1)
        entries: list[IndexEntry] = []
        offset = 0
        while True:
            page = await self._busy(resource_id, span, offset)
            if isinstance(page, Cold):
                return page
            now_ms, rows, looked = page
            entries += (index_entry(resource_id, row) for row in rows)
            offset += looked
            if looked < BUSY_PAGE:
                return Index(since_ms=now_ms - self._times.past_ms, entries=entries)

    async def indexes(self, cursor: int) -> tuple[list[str], int]:
        """Return some resources that have an index, and where to go on; 0 begins and ends."""
        # By their fences: an index that ran empty, or was deleted, has no other key.
        names, following = await self._scan(cursor, self._keys.fence_pattern())
        found = map(self._keys.resource_of_fence, names)
        return [resource_id for resource_id in found if resource_id is not None], following

    async def held(self, cursor: int, resource_id: str | None) -> tuple[list[ReservationId], int]:
        """Return some live reservations by their keys alone, of one resource or all."""
        names, following = await self._scan(cursor, self._keys.reservation_pattern(resource_id))
        found = map(self._keys.reservation_of, names)
        return [reservation_id for reservation_id in found if reservation_id], following

    async def since_ms(self) -> int:
        """Return how far back indexes reach: bookings that ended by then need not be in any."""
        return await self.now_ms() - self._times.past_ms

    async def now_ms(self) -> int:
        """Return what Redis' clock shows."""
        return await self._time_ms()

    async def _scan(self, cursor: int, pattern: str) -> tuple[list[str], int]:
        """Return the names that match among the next keys, and where to go on."""
        names, following = await self._scan_keys(cursor, pattern, SCANNED)
        return [name.decode(errors="replace") for name in names], following

    async def _busy(
        self, resource_id: str, span: tuple[Argument, Argument], offset: int
    ) -> tuple[int, list[list[Any]], int] | Cold:
        keys = [
            self._keys.reservation(ReservationId(resource_id, ANY_ULID)),
            self._keys.slots(resource_id),
            self._keys.fence(resource_id),
        ]
        match await self._call(self._scripts["busy"], keys, (*span, offset, BUSY_PAGE)):
            case [b"cold"]:
                return Cold()
            case [b"busy", now_ms, *parts, looked]:
                return now_ms, [parts[i : i + 6] for i in range(0, len(parts), 6)], looked
            case answer:
                raise unexpected("busy", answer)

    async def resync_begin(self, resource_id: str) -> tuple[str, int] | Busy:
        """Take a ticket for a resync; return it and the earliest end its snapshot must have."""
        key, ticket = self._keys.resync(resource_id), self._ids.token()
        # An index may be cold because the run this connection knows is no more.
        await self._renew(key)
        answer = await self._call(
            self._scripts["resync_begin"],
            [key],
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
