"""Redis in memory is no fantasy: any calls end as they do with the real scripts."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, cast

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import Ended, Past, Pending, Reserved, Taken, TooFar
from reservesvc.domain.reservation import Claim, Reservation, ReservationId
from reservesvc.errors import UnavailableError
from reservesvc.ports import Idempotency, Index, Snapshot, SnapshotBooking
from reservesvc.reservations.info import RUN_CHARACTERS
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.packed import Argument, Packed
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.scripts import Script
from reservesvc.reservations.store import RedisReservations, Times
from tests.builders import ROOM, a_claim, at
from tests.servers import RedisServer
from tests.simulation.given import CountingIds
from tests.simulation.loop import lots_of
from tests.simulation.memory_redis import Member, MemoryRedis
from tests.simulation.mutants import NoNonce, RedisMaker

CALLS = 80
EARLIER = "deadbeef"
"""the run of an earlier Redis process"""
LATE_MS = 1_000
"""how far apart the two may see the time, where an answer does not tell it"""
TIMED = {
    b"reserved",
    b"replayed",
    b"live",
    b"extended",
    b"released",
    b"unsettled",
    b"settled",
    b"begun",
    b"busy",
}
"""answers with the time in second place; `busy` also is the name of one without"""
LIMITS = Times(life_ms=200_000, grace_ms=20_000)


class Caller:
    """Passes calls on to a pipeline, and keeps the time that the scripts saw."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.now_ms = 0

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Run the script."""
        return self._seen(await self._pipeline.call(script, keys, arguments))

    async def call_packed(self, script: Script, call: Packed) -> list[Any]:
        """Run the script with what is packed already."""
        return self._seen(await self._pipeline.call_packed(script, call))

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run the script for each call."""
        return await self._pipeline.call_many(script, calls)

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[list[bytes], int]:
        """Return keys that match."""
        return await self._pipeline.scan(cursor, pattern, count)

    async def time_ms(self) -> int:
        """Return the time of Redis."""
        return await self._pipeline.time_ms()

    async def renew(self, key: str) -> None:
        """Ask for the run."""
        await self._pipeline.renew(key)

    def _seen(self, answer: list[Any]) -> list[Any]:
        if answer[0] in TIMED and len(answer) > 1:
            self.now_ms = answer[1]
        return answer


class Pair:
    """The real scripts and the memory, given the same calls."""

    def __init__(self, client: Redis, pipeline: Pipeline, maker: RedisMaker, lots: Random) -> None:
        self.client = client
        self.lots = lots
        self.caller = Caller(pipeline)
        self.real = RedisReservations(self.caller, Keys(), CountingIds(), LIMITS)
        self.memory = maker(lambda: self.caller.now_ms, CountingIds(), LIMITS)
        self.fence = 0
        self.claims: list[Claim] = []
        self.reservations: list[Reservation] = []
        self.entries: list[Entry] = []
        self.pendings: list[tuple[Entry, Pending]] = []
        self.tickets: list[str] = []

    async def both(self, name: str, *arguments: Any) -> Any:
        """Call both and compare their answers; return the real one."""
        seconds, micros = await self.client.time()
        self.caller.now_ms = seconds * 1000 + micros // 1000
        real = await getattr(self.real, name)(*arguments)
        memory = getattr(self.memory, name)(*arguments)
        assert told(memory) == told(real), f"{name}{arguments}: {memory} instead of {real}"
        return real

    async def compare(self) -> None:
        """Compare everything that either holds."""
        index = self.memory.keyspace(ROOM)
        slots = await self.client.zrange(f"slots:{{{ROOM}}}", 0, -1, withscores=True)
        found = [(bytes(row[0]).decode(), int(row[1])) for row in cast("list[Any]", slots)]
        assert [written(member) for member in index.members] == found
        fence = await self.client.get(f"fence:{{{ROOM}}}")
        assert fence == (f"{index.fence[0]}:{index.fence[1]}".encode() if index.fence else None)
        assert int(await self.client.get(f"overlap:{{{ROOM}}}") or 0) == index.overlap_ms
        await self._compare_names("ended", set(index.ended))
        await self._compare_names("idempotency", set(index.pins))
        await self._compare_names("reservation", set(index.keys))
        for ulid, key in index.keys.items():
            name = f"reservation:{{{ROOM}}}:{ulid}"
            assert await self.client.get(name) == key.reservation.document
            left_ms = await self.client.pttl(name)
            assert left_ms == pytest.approx(key.until_ms - self.caller.now_ms, abs=LATE_MS)

    async def _compare_names(self, kind: str, names: set[str]) -> None:
        prefix = f"{kind}:{{{ROOM}}}:"
        found = [key.decode() async for key in self.client.scan_iter(f"{prefix}*")]
        assert {name.removeprefix(prefix) for name in found} == names


def told(outcome: Any) -> Any:
    """Return an answer without what two looks at the clock make of it."""
    match outcome:
        case Taken(retry_after_ms=int(after_ms)):
            return replace(outcome, retry_after_ms=round(after_ms / LATE_MS / 2))
        case Past() | TooFar():
            return type(outcome)
        case Index():
            return outcome.entries
        case Ended(ended_ms=int()):
            return replace(outcome, ended_ms=None)
        case [[*reservations], int()]:
            return [replace(reservation, now_ms=0) for reservation in reservations]
        case _:
            return outcome


def written(member: Member) -> tuple[str, int]:
    """Return a member and its score as the sorted set has them."""
    parts = [member.kind, member.end_ms, member.quantity, member.id, member.nonce]
    return ":".join(str(part) for part in parts if part != ""), member.start_ms


async def reserve(pair: Pair) -> None:
    """Claim some hours, now and then with a key."""
    lots, start = pair.lots, pair.lots.randrange(5)
    claim = a_claim(
        start,
        start + lots.choice((0.5, 1, 1, 2, 4)),
        quantity=lots.choice((1, 1, 2)),
        duration_ms=1000 * lots.choice((10, 60, 120)),
        ulid=f"{len(pair.claims):026}",
    )
    pair.claims.append(claim)
    key = Idempotency(f"k{lots.randrange(6)}", lots.choice("aab")) if lots.random() < 0.3 else None
    outcome = await pair.both("reserve", claim, lots.choice((1, 1, 2, 3, 12)), key)
    if isinstance(outcome, Reserved) and outcome.reservation.entry not in pair.entries:
        pair.reservations.append(outcome.reservation)
        pair.entries.append(outcome.reservation.entry)


async def claim_again(pair: Pair) -> None:
    """Send a claim once more, as after a lost reply; it may have been carried out, or not."""
    if pair.claims:
        await pair.both("reserve", pair.lots.choice(pair.claims), 3, None)


async def reserve_instead(pair: Pair) -> None:
    """Claim some hours past an entry that may be there, sometimes under a claim's id again."""
    lots, start = pair.lots, pair.lots.randrange(5)
    if not pair.entries:
        return
    own = lots.choice(pair.entries[-8:])
    ulid = f"{len(pair.claims):026}"
    claim = a_claim(start, start + lots.choice((0.5, 1, 2)), duration_ms=60_000, ulid=ulid)
    pair.claims.append(claim)
    outcome = await pair.both("reserve_instead", claim, lots.choice((1, 1, 2, 3)), own.id)
    if isinstance(outcome, Reserved):
        pair.reservations.append(outcome.reservation)
        pair.entries.append(outcome.reservation.entry)


async def on_reservation(pair: Pair) -> None:
    """Read, extend, release or unsettle a reservation there is or was."""
    if not pair.reservations:
        return
    reservation = pair.lots.choice(pair.reservations[-8:])
    verb = pair.lots.choice(("read", "extend", "extend", "release", "unsettle", "unsettle"))
    if verb == "unsettle":
        outcome = await pair.both("unsettle_reservation", reservation)
        if isinstance(outcome, Pending):
            pair.pendings.append((reservation.entry, outcome))
    elif verb == "extend":
        await pair.both("extend", reservation.id, 1000 * pair.lots.choice((5, 90, 150, 190, 300)))
    elif verb == "release":
        key = Idempotency(f"k{pair.lots.randrange(6)}", "a") if pair.lots.random() < 0.3 else None
        await pair.both("release", reservation.id, key)
    else:
        await pair.both("read", reservation.id)


async def unsettle_booking(pair: Pair) -> None:
    """Unsettle an entry, which may be a booking's."""
    if pair.entries:
        entry = pair.lots.choice(pair.entries[-8:])
        members = pair.memory.keyspace(ROOM).members
        # Of a reservation's entry the flow never says that it is a booking's.
        if not any(member.id == entry.id and member.kind == "r" for member in members):
            outcome = await pair.both("unsettle_booking", entry)
            if isinstance(outcome, Pending):
                pair.pendings.append((entry, outcome))


async def settle(pair: Pair) -> None:
    """Settle an entry that was unsettled once, either way."""
    if pair.pendings:
        entry, pending = pair.lots.choice(pair.pendings[-4:])
        if pair.lots.random() < 0.6:
            await pair.both("settle_booked", entry, pending, "b-1")
        else:
            await pair.both("settle_freed", entry, pending)


async def begin(pair: Pair) -> None:
    """Take a ticket, or find another's still fresh."""
    if pair.lots.random() < 0.7:
        await age_ticket(pair)
    outcome = await pair.both("resync_begin", ROOM)
    if isinstance(outcome, tuple):
        pair.tickets.append(outcome[0])


async def age_ticket(pair: Pair) -> None:
    """Let half a second pass for the ticket of a resync."""
    index = pair.memory.keyspace(ROOM)
    if index.ticket:
        await pair.client.pexpire(f"resync:{{{ROOM}}}", 4_500)
        index.ticket = (*index.ticket[:2], pair.caller.now_ms + 4_500)


async def install(pair: Pair) -> None:
    """Install a snapshot of some of the entries there were."""
    if pair.tickets:
        pair.fence += 1
        count = min(len(pair.entries), pair.lots.randrange(4))
        entries = pair.lots.sample(pair.entries, count)
        bookings = [SnapshotBooking(entry=entry, booking_id="b-1") for entry in entries]
        snapshot = Snapshot(fence=pair.fence, bookings=bookings)
        await pair.both("resync_install", ROOM, pair.lots.choice(pair.tickets[-2:]), snapshot)


async def warm(pair: Pair) -> None:
    """Resync as the flow does."""
    await begin(pair)
    await install(pair)


async def list_live(pair: Pair) -> None:
    """List what lives, and the whole index."""
    await pair.both("live", ROOM, 3, pair.lots.randrange(2))
    await pair.both("index", ROOM)
    await pair.both("index", ROOM, at(pair.lots.randrange(24)))


async def lapse(pair: Pair) -> None:
    """Let a reservation's time run out."""
    if pair.reservations:
        ulid = pair.lots.choice(pair.reservations).id.ulid
        await pair.client.delete(Keys().reservation(ReservationId(ROOM, ulid)))
        pair.memory.keyspace(ROOM).keys.pop(ulid, None)


async def restart(pair: Pair) -> None:
    """Let what is there be the data of an earlier process."""
    index = pair.memory.keyspace(ROOM)
    if index.fence:
        index.fence = (index.fence[0], EARLIER)
        await pair.client.set(f"fence:{{{ROOM}}}", f"{index.fence[0]}:{EARLIER}")
    if index.ticket:
        name, _, until_ms = index.ticket
        index.ticket = (name, EARLIER, until_ms)
        await pair.client.set(f"resync:{{{ROOM}}}", f"{name}:{EARLIER}", keepttl=True)


async def flush(pair: Pair) -> None:
    """Empty both."""
    await pair.client.flushall()
    pair.memory.flush()


STEPS: dict[Callable[[Pair], Awaitable[None]], int] = {
    reserve: 30,
    claim_again: 2,
    reserve_instead: 6,
    on_reservation: 25,
    unsettle_booking: 8,
    settle: 14,
    begin: 2,
    install: 2,
    warm: 6,
    list_live: 3,
    lapse: 8,
    restart: 1,
    flush: 1,
}


@pytest.mark.parametrize("seed", range(30))
async def test_memory_answers_as_the_scripts_do(
    redis_server: RedisServer, redis: Redis, seed: int
) -> None:
    """Every answer and every key is the same, whatever is called in whatever order."""
    await drive(redis_server, redis, seed, MemoryRedis)


async def test_a_memory_that_answers_otherwise_is_seen(
    redis_server: RedisServer, redis: Redis
) -> None:
    """With a guard taken out of the memory, an answer or a key differs."""
    with pytest.raises(AssertionError):
        await drive(redis_server, redis, 0, NoNonce)


async def drive(server: RedisServer, redis: Redis, seed: int, maker: RedisMaker) -> None:
    """Send the calls that `seed` draws to both sides."""
    run = (await redis.info("replication"))["master_replid"][:RUN_CHARACTERS]
    client, pipeline = Redis.from_url(server.url, protocol=2), Pipeline(server.url, deadline_s=2)
    pair = Pair(client, pipeline, maker, lots_of(seed))
    pair.memory.restart(run)
    try:
        await warm(pair)
        for number in range(CALLS):
            (step,) = pair.lots.choices(list(STEPS), list(STEPS.values()))
            await step(pair)
            if number % 8 == 0:
                await pair.compare()
        await pair.compare()
    finally:
        await pipeline.close()
        await client.aclose()
