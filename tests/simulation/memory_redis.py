"""Redis in memory: each script of lua/ said again, in the order of its own lines.

`test_memory_redis.py` drives it and the real scripts on a real server through the same
random calls and compares every answer and every key. Left out: the TTL of an idle index, and
that a claim drops its dead entries 64 at a time.
"""

import dataclasses
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

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
    OutOfReach,
    Past,
    Pending,
    Released,
    ReplayedEnded,
    Reserved,
    Taken,
    TooFar,
    Unsettled,
)
from reservesvc.domain.reservation import Claim, Reservation, ReservationId, granted, stored
from reservesvc.domain.slot import ANY_TIME, Span, Usage, peak
from reservesvc.ports import Idempotency, Ids, Index, IndexEntry, Snapshot
from reservesvc.reservations.answers import KINDS
from reservesvc.reservations.store import SWEEP, Times

ENOUGH = 8
"""reservations in the way of a claim, behind which it looks no further, nor asks how long"""


class Member(NamedTuple):
    """A member of `slots:{…}` with its score; sorts as the sorted set does."""

    start_ms: int
    kind: str
    end_ms: int
    quantity: int
    id: str
    nonce: str = ""

    @property
    def usage(self) -> Usage:
        """What it uses of the capacity."""
        return Usage(self.start_ms, self.end_ms, self.quantity)


class Key(NamedTuple):
    """A reservation's key."""

    reservation: Reservation
    created_ms: int
    until_ms: int
    """the last millisecond it exists in"""


@dataclass
class Keyspace:
    """Everything that carries one resource's hash tag."""

    members: list[Member] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)
    fence: tuple[int, str] | None = None
    overlap_ms: int = 0
    ticket: tuple[str, str, int] | None = None
    """name, run and last millisecond"""
    ended: dict[str, tuple[Ended, int]] = field(default_factory=dict)
    pins: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """fingerprint, ULID and last millisecond of each Idempotency-Key"""

    def copy(self) -> "Keyspace":
        """Return the same, to be changed apart."""
        return dataclasses.replace(
            self,
            members=list(self.members),
            keys=dict(self.keys),
            ended=dict(self.ended),
            pins=dict(self.pins),
        )


class InTheWay(NamedTuple):
    """An entry that overlaps a claim's slot."""

    member: Member
    worth: str
    left_ms: int | None


class MemoryRedis:
    """The state of one Redis, and what each script does to it, at once and whole.

    Args:
        clock: Redis' `TIME`, in milliseconds.
        ids: where nonces and tickets come from.
        limits: how long things stay.

    """

    def __init__(self, clock: Callable[[], int], ids: Ids, limits: Times) -> None:
        self.clock = clock
        self.run = "run-0"
        self.keyspaces: dict[str, Keyspace] = {}
        self._ids = ids
        self._times = limits
        self._instead, self._own_ms = "", 0
        """the entry that is passed over, and how long it is where it overlaps the slot"""

    # What happens to a Redis.

    def flush(self) -> None:
        """FLUSHALL."""
        self.keyspaces = {}

    def restart(self, run: str) -> None:
        """Be another process with the same data."""
        self.run = run

    def saved(self) -> dict[str, Keyspace]:
        """Return the data as it is now."""
        return {resource_id: index.copy() for resource_id, index in self.keyspaces.items()}

    def keyspace(self, resource_id: str) -> Keyspace:
        """Return everything about a resource."""
        index = self.keyspaces.get(resource_id)
        if index is None:
            index = self.keyspaces[resource_id] = Keyspace()
        return index

    # The scripts.

    def reserve(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """reserve.lua."""
        judged = self.judge(claim, capacity, idempotency)
        if isinstance(judged, list):
            return self.grant(claim, judged, idempotency)
        return judged

    def reserve_instead(
        self, claim: Claim, capacity: int, entry_id: str
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """reserve.lua, to reschedule."""
        self._instead = entry_id
        outcome = self.reserve(claim, capacity, None)
        self._instead, self._own_ms = "", 0
        return outcome

    def judge(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> list[InTheWay] | Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Return what is in the way of a claim that can be granted, or why it cannot be."""
        index = self.keyspace(claim.id.resource_id)
        pinned = self._pinned(index, claim, idempotency)
        if pinned:
            return pinned
        out_of_reach = self._out_of_reach(claim)
        if out_of_reach:
            return out_of_reach
        if not self._is_warm(index):
            return Cold()
        way = self._walk(index, claim, capacity)
        if isinstance(way, Reserved | ReplayedEnded):
            return way
        if self._fits(claim, capacity, way):
            return way
        return self._refuse(index, claim, capacity, way)

    def _out_of_reach(self, claim: Claim) -> OutOfReach | None:
        earliest_ms = self.clock() - self._times.past_ms
        if claim.end_ms <= earliest_ms:
            return Past(earliest_ms=earliest_ms)
        latest_ms = self.clock() + self._times.ahead_ms
        return TooFar(latest_ms=latest_ms) if claim.end_ms > latest_ms else None

    def _pinned(
        self, index: Keyspace, claim: Claim, idempotency: Idempotency | None
    ) -> Reserved | ReplayedEnded | KeyReused | None:
        pin = index.pins.get(idempotency.digest) if idempotency else None
        if idempotency is None or pin is None or self.clock() > pin[2]:
            return None
        if pin[0] != idempotency.fingerprint:
            return KeyReused()
        return self._replay(index, claim, pin[1])

    def _walk(
        self, index: Keyspace, claim: Claim, capacity: int
    ) -> list[InTheWay] | Reserved | ReplayedEnded:
        way: list[InTheWay] = []
        dead: list[Member] = []
        decided_ms = claim.start_ms - index.overlap_ms
        for place in range(bisect_left(index.members, (claim.end_ms,)) - 1, -1, -1):
            member = index.members[place]
            decides = member.start_ms <= decided_ms
            in_way = member.end_ms > claim.start_ms
            if in_way and member.id == self._instead:
                in_way, self._own_ms = False, member.end_ms - member.start_ms
            worth, left_ms = "unjudged", None
            if decides or (in_way and capacity == 1):
                worth, left_ms = self.worth(index, member)
            if worth == "dead":
                dead.append(member)
                continue
            if in_way:
                if member.id == claim.id.ulid:
                    return self._replay(index, claim, member.id)
                way.append(InTheWay(member, worth, left_ms))
            is_enough = in_way and capacity == 1 and (member.kind == "b" or len(way) == ENOUGH)
            if decides or is_enough:
                break
        for member in dead:
            index.members.remove(member)
        return way

    def _fits(self, claim: Claim, capacity: int, way: list[InTheWay]) -> bool:
        usages = [entry.member.usage for entry in way]
        if sum(usage.quantity for usage in usages) + claim.quantity <= capacity:
            return True
        return peak(usages, claim.start_ms, claim.end_ms) + claim.quantity <= capacity

    def _refuse(
        self, index: Keyspace, claim: Claim, capacity: int, way: list[InTheWay]
    ) -> list[InTheWay] | Cold | Taken:
        live = []
        for place, entry in enumerate(way):
            judged = entry
            if entry.worth == "unjudged":
                judged = InTheWay(entry.member, *self.worth(index, entry.member))
            if judged.worth == "lost":
                return Cold()
            if judged.worth == "dead":
                index.members.remove(judged.member)
            elif (
                entry.worth == "unjudged" and place >= ENOUGH and self._all_live(index, way, place)
            ):
                live.append(judged._replace(left_ms=None))
            else:
                live.append(judged)
        if len(live) < len(way) and self._fits(claim, capacity, live):
            return live
        booked = [entry for entry in live if entry.member.kind == "b"]
        if booked and not self._fits(claim, capacity, booked):
            return Taken(by="booked")
        earliest_ms = min((e.left_ms for e in live if e.left_ms is not None), default=0)
        return Taken(by="reserved", retry_after_ms=earliest_ms + 1)

    def _all_live(self, index: Keyspace, way: list[InTheWay], place: int) -> bool:
        """Tell whether nothing is dead or lost near `place`: then nobody asks how long it lives."""
        first = place - place % SWEEP
        near = [e.member for e in way[first : first + SWEEP] if e.worth == "unjudged"]
        return all(self.worth(index, member)[0] == "live" for member in near)

    def grant(self, claim: Claim, way: list[InTheWay], idempotency: Idempotency | None) -> Reserved:
        """Write the reservation that nothing stands against."""
        index, now_ms = self.keyspace(claim.id.resource_id), self.clock()
        reservation = granted(claim, now_ms)
        ulid = claim.id.ulid
        insort(index.members, Member(claim.start_ms, "r", claim.end_ms, claim.quantity, ulid))
        index.keys[ulid] = Key(reservation, now_ms, now_ms + claim.duration_ms)
        if way or self._own_ms:
            lengths = [entry.member.end_ms - entry.member.start_ms for entry in way]
            lengths += [self._own_ms, claim.end_ms - claim.start_ms]
            index.overlap_ms = max(index.overlap_ms, *lengths)
        if idempotency:
            until_ms = now_ms + self._times.idempotency_ms
            index.pins[idempotency.digest] = (idempotency.fingerprint, ulid, until_ms)
        return Reserved(reservation=reservation)

    def _replay(self, index: Keyspace, claim: Claim, ulid: str) -> Reserved | ReplayedEnded:
        key = self._key(index, ulid)
        if key is None:
            return ReplayedEnded(ulid=ulid)
        return Reserved(reservation=self._seen(key), replayed=ulid != claim.id.ulid)

    def read(self, reservation_id: ReservationId) -> Live | Ended:
        """read.lua."""
        index = self.keyspace(reservation_id.resource_id)
        key = self._key(index, reservation_id.ulid)
        return Live(reservation=self._seen(key)) if key else self._tombstone(index, reservation_id)

    def live(
        self, resource_id: str, limit: int, offset: int, span: Span = ANY_TIME
    ) -> tuple[list[Reservation], int] | Cold:
        """busy.lua, all its pages, and the `read` of each reservation on the page asked for."""
        index = self.keyspace(resource_id)
        if not self._is_warm(index):
            return Cold()
        held = [m for m in index.members if m.kind != "b"]
        keys = [self._key(index, m.id) for m in held if span.meets(m.start_ms, m.end_ms)]
        found = [self._seen(key) for key in keys if key]
        return found[offset : offset + limit], len(found)

    def index(self, resource_id: str, start_ms: int | None = None) -> Index | Cold:
        """busy.lua, all its pages; with `start_ms` those entries alone that begin then."""
        found = self.keyspace(resource_id)
        if not self._is_warm(found):
            return Cold()
        worths = [(member, self.worth(found, member)[0]) for member in found.members]
        entries = [
            _index_entry(resource_id, member, has_key=worth == "live" and member.kind != "b")
            for member, worth in worths
            if worth != "dead" and start_ms in {None, member.start_ms}
        ]
        return Index(since_ms=self.clock() - self._times.past_ms, entries=entries)

    def extend(
        self, reservation_id: ReservationId, duration_ms: int
    ) -> Extended | Ended | Unsettled | ExtensionLimit:
        """extend.lua."""
        index, now_ms = self.keyspace(reservation_id.resource_id), self.clock()
        ulid = reservation_id.ulid
        key = self._key(index, ulid)
        if key is None:
            return self._tombstone(index, reservation_id)
        if self._member(index, "r", key.reservation.entry) is None:
            unsettled = self._unsettled(index, key.reservation.entry)
            return Unsettled() if unsettled else Ended()
        expires_ms = now_ms + duration_ms
        latest_ms = key.created_ms + self._times.life_ms
        if expires_ms > latest_ms:
            return ExtensionLimit(latest_ms=latest_ms)
        if expires_ms > key.reservation.expires_ms:
            document = _with_deadline(key.reservation.document, expires_ms)
            moved = stored(reservation_id, document, now_ms)
            key = index.keys[ulid] = Key(moved, key.created_ms, expires_ms)
        return Extended(reservation=self._seen(key))

    def release(
        self, reservation_id: ReservationId, idempotency: Idempotency | None = None
    ) -> Released | Ended | Unsettled:
        """release.lua."""
        index, now_ms = self.keyspace(reservation_id.resource_id), self.clock()
        key = self._key(index, reservation_id.ulid)
        if key is None:
            return self._tombstone(index, reservation_id)
        entry = key.reservation.entry
        if self._unsettled(index, entry):
            return Unsettled()
        member = self._member(index, "r", entry)
        if member:
            index.members.remove(member)
        del index.keys[reservation_id.ulid]
        if idempotency:
            index.pins.pop(idempotency.digest, None)
        self._bury(index, reservation_id.ulid, Ended(state="released", ended_ms=now_ms))
        return Released()

    def unsettle_reservation(self, reservation: Reservation) -> Pending | Ended | Cold:
        """unsettle.lua, from `r`."""
        index, entry = self.keyspace(reservation.id.resource_id), reservation.entry
        now_ms, nonce = self.clock(), self._ids.token()
        key = self._key(index, entry.id)
        if key is None:
            return self._tombstone(index, reservation.id)
        if not self._is_warm(index):
            return Cold()
        settled = self._member(index, "r", entry)
        before = settled or self._unsettled(index, entry)
        if before is None:
            return Ended()
        pending = self._unsettle(index, before, nonce)
        if before == settled and key.until_ms - now_ms < self._times.grace_ms:
            index.keys[entry.id] = key._replace(until_ms=now_ms + self._times.grace_ms)
        return pending

    def unsettle_booking(self, entry: Entry) -> Pending | Cold:
        """unsettle.lua, from `b`."""
        index, nonce = self.keyspace(entry.resource_id), self._ids.token()
        if not self._is_warm(index):
            return Cold()
        before = self._member(index, "b", entry) or self._unsettled(index, entry)
        if before is None:
            return Cold()
        index.keys.pop(entry.id, None)
        return self._unsettle(index, before, nonce)

    def _unsettle(self, index: Keyspace, before: Member, nonce: str) -> Pending:
        index.members.remove(before)
        insort(index.members, before._replace(kind="u", nonce=nonce))
        fence = index.fence[0] if index.fence else 0
        return Pending(fence=fence, nonce=nonce, now_ms=self.clock())

    def settle_booked(self, entry: Entry, pending: Pending, booking_id: str) -> bool:
        """settle.lua, to `b`."""
        index = self.keyspace(entry.resource_id)
        mine = self._mine(index, entry, pending)
        if mine is None:
            return False
        insort(index.members, mine._replace(kind="b", nonce=""))
        ended = Ended(state="converted", ended_ms=self.clock(), booking_id=booking_id)
        self._bury(index, entry.id, ended)
        self._remove(index, mine)
        return True

    def settle_freed(self, entry: Entry, pending: Pending) -> bool:
        """settle.lua, to nothing."""
        index = self.keyspace(entry.resource_id)
        mine = self._mine(index, entry, pending)
        if mine is None:
            return False
        self._remove(index, mine)
        return True

    def _remove(self, index: Keyspace, mine: Member) -> None:
        index.members.remove(mine)
        index.keys.pop(mine.id, None)

    def _mine(self, index: Keyspace, entry: Entry, pending: Pending) -> Member | None:
        if index.fence != (pending.fence, self.run):
            return None
        return self._member(index, "u", entry, pending.nonce)

    def resync_begin(self, resource_id: str) -> tuple[str, int] | Busy:
        """resync_begin.lua."""
        index, now_ms, ticket = self.keyspace(resource_id), self.clock(), self._ids.token()
        if index.ticket and not self.can_overtake(index):
            return Busy()
        index.ticket = (ticket, self.run, now_ms + self._times.ticket_ms)
        return ticket, now_ms - self._times.past_ms

    def can_overtake(self, index: Keyspace) -> bool:
        """Tell whether a resync runs that has been left alone for long enough."""
        if index.ticket is None:
            return False
        left_ms = index.ticket[2] - self.clock()
        return left_ms <= self._times.ticket_ms - self._times.patience_ms

    def resync_install(self, resource_id: str, ticket: str, snapshot: Snapshot) -> bool:
        """resync_install.lua."""
        index = self.keyspace(resource_id)
        if not self.stands(index, ticket):
            return False
        self.install(index, snapshot)
        return True

    def stands(self, index: Keyspace, ticket: str) -> bool:
        """Tell whether no later ticket was taken, and this is still the Redis that gave it."""
        held = index.ticket
        return held is not None and held[:2] == (ticket, self.run) and self.clock() <= held[2]

    def install(self, index: Keyspace, snapshot: Snapshot) -> None:
        """Make the snapshot the index."""
        now_ms, members, booked = self.clock(), [], set()
        for booking in snapshot.bookings:
            entry = booking.entry
            booked.add(entry.id)
            members.append(Member(entry.start_ms, "b", entry.end_ms, entry.quantity, entry.id))
            if self._key(index, entry.id):
                ended = Ended(state="converted", ended_ms=now_ms, booking_id=booking.booking_id)
                self._bury(index, entry.id, ended)
            index.keys.pop(entry.id, None)
        members += [
            member
            for member in index.members
            if member.kind != "b" and member.id not in booked and self._key(index, member.id)
        ]
        index.members = sorted(members)
        index.overlap_ms = _longest_overlap_ms(index.members)
        index.ticket = None
        index.fence = (snapshot.fence, self.run)

    # What the scripts share.

    def worth(self, index: Keyspace, member: Member) -> tuple[str, int | None]:
        """include/entries.lua, judge: what an entry is worth and what is left of it."""
        if member.kind == "b":
            return "live", None
        key = self._key(index, member.id)
        if key:
            return "live", key.until_ms - self.clock()
        return ("dead" if member.kind == "r" else "lost"), None

    def _is_warm(self, index: Keyspace) -> bool:
        return index.fence is not None and index.fence[1] == self.run

    def _key(self, index: Keyspace, ulid: str) -> Key | None:
        key = index.keys.get(ulid)
        return key if key and self.clock() <= key.until_ms else None

    def _seen(self, key: Key) -> Reservation:
        return replace(key.reservation, now_ms=self.clock())

    def _member(self, index: Keyspace, kind: str, entry: Entry, nonce: str = "") -> Member | None:
        wanted = Member(entry.start_ms, kind, entry.end_ms, entry.quantity, entry.id, nonce)
        place = bisect_left(index.members, wanted)
        found = place < len(index.members) and index.members[place] == wanted
        return wanted if found else None

    def _unsettled(self, index: Keyspace, entry: Entry) -> Member | None:
        """include/unsettled.lua: the entry of kind u, whatever its nonce."""
        for place in range(bisect_left(index.members, (entry.start_ms, "u")), len(index.members)):
            member = index.members[place]
            if member.start_ms != entry.start_ms:
                break
            if member.kind == "u" and member.id == entry.id:
                return member
        return None

    def _bury(self, index: Keyspace, ulid: str, ended: Ended) -> None:
        index.ended[ulid] = (ended, self.clock() + self._times.ended_ms)

    def _tombstone(self, index: Keyspace, reservation_id: ReservationId) -> Ended:
        found = index.ended.get(reservation_id.ulid)
        return found[0] if found and self.clock() <= found[1] else Ended()


def _index_entry(resource_id: str, member: Member, *, has_key: bool) -> IndexEntry:
    entry = Entry(
        resource_id=resource_id,
        id=member.id,
        start_ms=member.start_ms,
        end_ms=member.end_ms,
        quantity=member.quantity,
    )
    return IndexEntry(kind=KINDS[member.kind.encode()], entry=entry, has_key=has_key)


def _with_deadline(document: bytes, expires_ms: int) -> bytes:
    """include/document.lua, with_deadline."""
    head = len('{"expires_at":"')
    return document[:head] + times.render(expires_ms).encode() + document[head + times.WIDTH :]


def _longest_overlap_ms(members: list[Member]) -> int:
    """Return the longest entry of any group of two or more that overlap one another."""
    overlap_ms, group_end_ms, longest_ms = 0, -1, 0
    for member in members:
        length_ms = member.end_ms - member.start_ms
        if member.start_ms < group_end_ms:
            longest_ms = max(longest_ms, length_ms)
            overlap_ms = max(overlap_ms, longest_ms)
            group_end_ms = max(group_end_ms, member.end_ms)
        else:
            longest_ms, group_end_ms = length_ms, member.end_ms
    return overlap_ms
