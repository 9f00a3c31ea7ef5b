"""`ports.ReservationStore` on Redis: one typed method a script, its reply parsed on the spot."""

from collections.abc import Awaitable, Sequence
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from reservesvc.domain import times
from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import (
    Busy,
    Cold,
    Ended,
    Extended,
    ExtensionLimit,
    KeyReused,
    Live,
    Past,
    Pending,
    Released,
    ReplayedEnded,
    Reserved,
    Taken,
    Unsettled,
)
from reservesvc.domain.reservation import Claim, Reservation, ReservationId, granted, stored
from reservesvc.errors import UnavailableError
from reservesvc.ports import Ask, Idempotency, Ids, Index, IndexEntry, Snapshot
from reservesvc.reservations.claim_packing import ClaimPacking
from reservesvc.reservations.keys import ANY_ULID, Keys
from reservesvc.reservations.packed import Argument, Packed
from reservesvc.reservations.scripts import Script, load_all

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SWEEP = 64
"""Dead entries dropped in one call; bounds how long it keeps Redis from others."""
BUSY_PAGE = 256
SCANNED = 100
"""Keys that one step of a search for indexes looks at."""
KINDS: dict[bytes, Literal["reserved", "unsettled", "booked"]] = {
    b"r": "reserved",
    b"u": "unsettled",
    b"b": "booked",
}
EVER = ("-inf", "+inf")

_json = msgspec.json.Encoder().encode


class Times(Struct, frozen=True, kw_only=True):
    """How long things stay in Redis, in milliseconds."""

    life_ms: int = DAY_MS
    """longest life of a reservation, extensions included"""
    grace_ms: int = 10_000
    """how long a hand-off that started in time may take to finish"""
    past_ms: int = 366 * DAY_MS
    """how long ago a slot may have ended"""
    ended_ms: int = HOUR_MS
    """how long a tombstone stays"""
    idempotency_ms: int = DAY_MS
    ticket_ms: int = 5_000
    """how long a resync may take"""
    patience_ms: int = 250
    """how long another server's resync is left alone, in case it is still running"""

    @property
    def index_ttl_ms(self) -> int:
        """How long an idle index stays: longer than any reservation in it."""
        return max(7 * DAY_MS, 2 * self.life_ms)


class Caller(Protocol):
    """What runs the scripts: a `Pipeline`, or something in its place."""

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Run `script`; ARGV[1] is put in front of `arguments`."""
        ...

    def call_packed(self, script: Script, call: Packed) -> Awaitable[list[Any]]:
        """Run `script`, as `call` does, with what is packed already."""
        ...

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run `script` once for each of `calls`; errors stand in their places."""
        ...

    async def command(self, *arguments: Argument) -> Any:  # noqa: ANN401  a reply is whatever Redis says
        """Send one plain command."""
        ...


class RedisReservations:
    """The reservations of all resources, on one Redis."""

    def __init__(self, caller: Caller, keys: Keys, ids: Ids, limits: Times) -> None:
        self._call = caller.call
        self._call_packed = caller.call_packed
        self._call_many = caller.call_many
        self._command = caller.command
        self._packing = ClaimPacking(
            keys,
            past_ms=limits.past_ms,
            index_ttl_ms=limits.index_ttl_ms,
            sweep=SWEEP,
            idempotency_ms=limits.idempotency_ms,
        )
        self._keys = keys
        self._ids = ids
        self._times = limits
        self._index_ttl_ms = limits.index_ttl_ms
        self._scripts = load_all()
        self._reserve = self._scripts["reserve"]

    async def reserve(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> Reserved | ReplayedEnded | KeyReused | Past | Cold | Taken:
        """Hold the slot if nothing blocks it, atomically."""
        call = self._packing.packed(claim, capacity, idempotency)
        answer = await self._call_packed(self._reserve, call)
        if answer[0] == b"reserved":  # nearly always
            return Reserved(reservation=granted(claim, answer[1]))
        while answer[0] == b"swept":
            answer = await self._call_packed(self._reserve, call)
        return _reserve_outcome(claim, answer)

    async def reserve_many(
        self, asks: Sequence[Ask]
    ) -> list[Reserved | ReplayedEnded | KeyReused | Past | Cold | Taken | UnavailableError]:
        """Reserve each, all sent together; one that failed has its error in its place."""
        calls = [self._packing.packed(*ask) for ask in asks]
        answers = await self._call_many(self._scripts["reserve"], calls)
        while swept := [place for place, answer in enumerate(answers) if answer == [b"swept"]]:
            again = await self._call_many(
                self._scripts["reserve"], [calls[place] for place in swept]
            )
            for place, answer in zip(swept, again, strict=True):
                answers[place] = answer
        return [
            answer if isinstance(answer, UnavailableError) else _reserve_outcome(ask[0], answer)
            for ask, answer in zip(asks, answers, strict=True)
        ]

    async def read(self, reservation_id: ReservationId) -> Live | Ended:
        """Return the reservation, or how it ended as far as Redis knows."""
        keys = [self._keys.reservation(reservation_id), self._keys.ended(reservation_id)]
        match await self._call(self._scripts["read"], keys, ()):
            case [b"live", now_ms, document]:
                return Live(reservation=stored(reservation_id, document, now_ms))
            case [b"gone", tombstone]:
                return _ended(tombstone)
            case answer:
                raise _unexpected("read", answer)

    async def live(
        self, resource_id: str, limit: int, offset: int
    ) -> tuple[list[Reservation], int] | Cold:
        """Return one page of a resource's live reservations by start, and how many there are."""
        found = await self.index(resource_id)
        if isinstance(found, Cold):
            return found
        ids = [row.entry.id for row in found.entries if row.has_key]
        wanted = [ReservationId(resource_id, ulid) for ulid in ids[offset : offset + limit]]
        outcomes = [await self.read(reservation_id) for reservation_id in wanted]
        live = [outcome.reservation for outcome in outcomes if isinstance(outcome, Live)]
        return live, len(ids)

    async def index(self, resource_id: str) -> Index | Cold:
        """Return every entry of the resource that is not dead."""
        entries: list[IndexEntry] = []
        offset = 0
        while True:
            page = await self._busy(resource_id, offset)
            if isinstance(page, Cold):
                return page
            now_ms, rows, looked = page
            entries += (_index_entry(resource_id, row) for row in rows)
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
                raise _unexpected("busy", answer)

    async def extend(
        self, reservation_id: ReservationId, duration_ms: int
    ) -> Extended | Ended | Unsettled | ExtensionLimit:
        """Move the deadline to `duration_ms` from now, if that is later."""
        keys = self._keys_of_one(reservation_id)
        answer = await self._call(self._scripts["extend"], keys, (duration_ms, self._times.life_ms))
        match answer:
            case [b"extended", now_ms, document]:
                return Extended(reservation=stored(reservation_id, document, now_ms))
            case [b"gone", tombstone]:
                return _ended(tombstone)
            case [b"unsettled"]:
                return Unsettled()
            case [b"limit", latest_ms]:
                return ExtensionLimit(latest_ms=latest_ms)
            case _:
                raise _unexpected("extend", answer)

    async def release(
        self, reservation_id: ReservationId, idempotency: Idempotency | None = None
    ) -> Released | Ended | Unsettled:
        """Free the slot and leave a tombstone; `idempotency` is forgotten with it."""
        keys = self._keys_of_one(reservation_id)
        if idempotency:
            keys.append(self._keys.idempotency(reservation_id.resource_id, idempotency.digest))
        match await self._call(self._scripts["release"], keys, (self._times.ended_ms,)):
            case [b"released", _]:
                return Released()
            case [b"gone", tombstone]:
                return _ended(tombstone)
            case [b"unsettled"]:
                return Unsettled()
            case answer:
                raise _unexpected("release", answer)

    async def unsettle_reservation(self, reservation: Reservation) -> Pending | Ended | Cold:
        """Mark a live reservation's entry as being decided by the booking store."""
        return await self._unsettle("r", reservation.entry)

    async def unsettle_booking(self, entry: Entry) -> Pending | Cold:
        """Mark a booked entry as being decided by the booking store."""
        outcome = await self._unsettle("b", entry)
        if isinstance(outcome, Ended):
            raise _unexpected("unsettle", ["gone"])
        return outcome

    async def _unsettle(self, kind: str, entry: Entry) -> Pending | Ended | Cold:
        nonce = self._ids.token()
        arguments = (
            kind,
            entry.start_ms,
            entry.end_ms,
            entry.quantity,
            nonce,
            self._times.grace_ms,
        )
        match await self._call(self._scripts["unsettle"], self._keys_of_entry(entry), arguments):
            case [b"unsettled", now_ms, fence, _]:
                return Pending(fence=int(fence), nonce=nonce, now_ms=now_ms)
            case [b"gone", tombstone]:
                return _ended(tombstone)
            case [b"cold"]:
                return Cold()
            case answer:
                raise _unexpected("unsettle", answer)

    async def settle_booked(self, entry: Entry, pending: Pending, booking_id: str) -> bool:
        """Make the entry booked, end its reservation; False where a resync did it already."""
        return await self._settle(entry, pending, "booked", booking_id)

    async def settle_freed(self, entry: Entry, pending: Pending) -> bool:
        """Remove the entry, end its reservation; False where a resync did it already."""
        return await self._settle(entry, pending, "freed", "")

    async def _settle(self, entry: Entry, pending: Pending, outcome: str, booking_id: str) -> bool:
        arguments = (
            pending.fence,
            entry.start_ms,
            entry.end_ms,
            entry.quantity,
            pending.nonce,
            outcome,
            booking_id,
            self._times.ended_ms,
        )
        match await self._call(self._scripts["settle"], self._keys_of_entry(entry), arguments):
            case [b"settled", _]:
                return True
            case [b"superseded"]:
                return False
            case answer:
                raise _unexpected("settle", answer)

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
                raise _unexpected("resync_begin", answer)

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
                raise _unexpected("resync_install", answer)

    def _keys_of_one(self, reservation_id: ReservationId) -> list[str]:
        return [
            self._keys.reservation(reservation_id),
            self._keys.slots(reservation_id.resource_id),
            self._keys.ended(reservation_id),
        ]

    def _keys_of_entry(self, entry: Entry) -> list[str]:
        reservation_id = ReservationId(entry.resource_id, entry.id)
        return [
            self._keys.reservation(reservation_id),
            self._keys.slots(entry.resource_id),
            self._keys.fence(entry.resource_id),
            self._keys.ended(reservation_id),
        ]


def _reserve_outcome(  # noqa: PLR0911 - a table: one row an answer
    claim: Claim, answer: list[Any]
) -> Reserved | ReplayedEnded | KeyReused | Past | Cold | Taken:
    match answer:
        case [b"reserved", now_ms]:
            return Reserved(reservation=granted(claim, now_ms))
        case [b"taken", by, retry_after_ms]:
            return Taken(
                by=by.decode(), retry_after_ms=None if retry_after_ms < 0 else retry_after_ms
            )
        case [b"cold"]:
            return Cold()
        case [b"replayed", now_ms, ulid, document]:
            found = ReservationId(claim.id.resource_id, ulid.decode())
            # The same ULID: our own claim, whose first reply was lost.
            return Reserved(reservation=stored(found, document, now_ms), replayed=found != claim.id)
        case [b"replayed_ended", ulid]:
            return ReplayedEnded(ulid=ulid.decode())
        case [b"key_reused"]:
            return KeyReused()
        case [b"past", earliest_ms]:
            return Past(earliest_ms=earliest_ms)
        case _:
            raise _unexpected("reserve", answer)


def _index_entry(resource_id: str, row: list[Any]) -> IndexEntry:
    """Return what a row of busy.lua says: kind, start, end, quantity, id, what is left."""
    kind, start_ms, end_ms, quantity, ulid, left_ms = row
    entry = Entry(
        resource_id=resource_id,
        id=ulid.decode(),
        start_ms=start_ms,
        end_ms=end_ms,
        quantity=quantity,
    )
    return IndexEntry(kind=KINDS[kind], entry=entry, has_key=left_ms >= 0)


def _ended(tombstone: bytes) -> Ended:
    """Return what a tombstone says: `<state> <when> [<booking id>]`."""
    match tombstone.decode().split():
        case ["released", when]:
            return Ended(state="released", ended_ms=times.parse(when))
        case ["converted", when, booking_id]:
            return Ended(state="converted", ended_ms=times.parse(when), booking_id=booking_id)
        case _:
            return Ended(state="expired")


def _unexpected(script: str, answer: list[Any]) -> AssertionError:
    return AssertionError(f"{script}.lua answered what its header does not name: {answer!r}")
