"""tidy: what a crash left is put right without anybody asking for it, over real stores."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Booked, Cold, Pending, Reserved
from reservesvc.domain.reservation import Reservation
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import UnavailableError
from reservesvc.flow import tidy as tidy_module
from reservesvc.flow.act import act
from reservesvc.flow.book import hand_off
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Index, IndexEntry, Stores
from tests.builders import ROOM, a_wish
from tests.flow.test_book import Failing

LIMITS = Limits()
SLOTS = f"slots:{{{ROOM}}}"
FENCE = f"fence:{{{ROOM}}}"
HELD = UnavailableError("redis", "gone")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look twice without a second between."""
    monkeypatch.setattr(tidy_module, "LOOK_AGAIN_S", 0)


async def reserved(stores: Stores) -> Reservation:
    """Reserve, and insist on it."""
    outcome = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(outcome, Reserved), outcome
    return outcome.reservation


async def booked(stores: Stores) -> Booked:
    """Reserve and hand off, and insist on it."""
    outcome = await hand_off(stores, Wish(), (await reserved(stores)).id, None)
    assert isinstance(outcome, Booked), outcome
    return outcome


async def kinds(stores: Stores) -> list[str]:
    """Return what the index has, by kind."""
    index = await stores.reservations.index(ROOM)
    assert isinstance(index, Index)
    return [row.kind for row in index.entries]


async def lapse(redis: Redis) -> None:
    """Let every reservation's time run out."""
    for key in [key async for key in redis.scan_iter("reservation:*")]:
        await redis.delete(key)


async def test_what_is_right_is_left_alone(stores: Stores, redis: Redis) -> None:
    """Reservations and bookings stay, and no fence is raised for nothing."""
    await booked(stores)
    assert isinstance(await reserve(stores, LIMITS, a_wish(12, 13), None), Reserved)
    before = await redis.get(FENCE)
    assert await tidy(stores, ROOM) == "clean"
    assert await redis.get(FENCE) == before
    assert await kinds(stores) == ["booked", "reserved"]


async def test_a_handoff_that_was_committed_and_not_settled(stores: Stores, redis: Redis) -> None:
    """Its entry becomes booked once its key is gone, and not before."""
    reservation = await reserved(stores)
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_booked", HELD))
    assert isinstance(await hand_off(broken, Wish(), reservation.id, None), Booked)
    assert await tidy(stores, ROOM) == "clean"
    assert await kinds(stores) == ["unsettled"]
    await lapse(redis)
    assert await tidy(stores, ROOM) == "resynced"
    assert await kinds(stores) == ["booked"]


async def test_a_handoff_that_never_came_to_the_store(stores: Stores, redis: Redis) -> None:
    """Its entry goes once its key is gone."""
    pending = await stores.reservations.unsettle_reservation(await reserved(stores))
    assert isinstance(pending, Pending)
    await lapse(redis)
    assert await tidy(stores, ROOM) == "resynced"
    assert await kinds(stores) == []


async def test_a_cancel_that_was_committed_and_not_settled(stores: Stores) -> None:
    """The entry of a cancelled booking goes."""
    booking = (await booked(stores)).booking
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_freed", HELD))
    await act(broken, booking.id, "cancel")
    assert await kinds(stores) == ["unsettled"]
    assert await tidy(stores, ROOM) == "resynced"
    assert await kinds(stores) == []


async def test_a_booking_that_the_index_lacks(stores: Stores, redis: Redis) -> None:
    """Somebody deleted the index: the booking is back before anybody asks for the slot."""
    await booked(stores)
    await redis.delete(SLOTS)
    assert await tidy(stores, ROOM) == "resynced"
    assert await kinds(stores) == ["booked"]


async def test_a_booking_that_only_the_index_has(stores: Stores, redis: Redis) -> None:
    """Somebody wrote into the index: what the store does not know goes."""
    await booked(stores)
    (member,) = await redis.zrange(SLOTS, 0, -1)
    await redis.zadd(SLOTS, {str(member).replace(":1:", ":2:"): 0})
    assert await tidy(stores, ROOM) == "resynced"
    assert [str(name) for name in await redis.zrange(SLOTS, 0, -1)] == [str(member)]


async def test_what_ended_long_ago_is_no_difference(stores: Stores, redis: Redis) -> None:
    """A booking that is too old for any snapshot may stay in the index."""
    await booked(stores)
    await redis.zadd(SLOTS, {f"b:2000:1:{'0' * 26}": 1000})
    assert await tidy(stores, ROOM) == "clean"


async def test_a_cold_index_stays_cold(stores: Stores, redis: Redis) -> None:
    """It decides nothing; its next request rebuilds it."""
    await booked(stores)
    await redis.delete(FENCE)
    assert await tidy(stores, ROOM) == "cold"
    assert await stores.reservations.index(ROOM) == Cold()


async def test_a_difference_of_a_moment_is_none(stores: Stores, redis: Redis) -> None:
    """What a hand-off under way makes differ has gone at the second look."""
    await booked(stores)
    before = await redis.get(FENCE)

    class BehindOnce:
        """An index that lags behind at the first look."""

        def __init__(self) -> None:
            self.looks = 0

        async def index(self, resource_id: str) -> object:
            self.looks += 1
            if self.looks == 1:
                return Index(since_ms=0, entries=[])
            return await stores.reservations.index(resource_id)

    behind: Any = BehindOnce()
    assert await tidy(replace(stores, reservations=behind), ROOM) == "clean"
    assert behind.looks == 2
    assert await redis.get(FENCE) == before


async def test_two_differences_of_a_moment_are_none(stores: Stores, redis: Redis) -> None:
    """What differs has to be the same at both looks."""
    booking = (await booked(stores)).booking
    before = await redis.get(FENCE)
    right = IndexEntry(kind="booked", entry=booking.entry, has_key=False)
    other = IndexEntry(kind="unsettled", entry=replace(booking.entry, id="0" * 26), has_key=False)
    looks = iter([[], [right, other]])

    class Changing:
        """An index that differs in another way each time."""

        async def index(self, _: str) -> Index:
            return Index(since_ms=0, entries=next(looks))

    changing: Any = Changing()
    assert await tidy(replace(stores, reservations=changing), ROOM) == "clean"
    assert await redis.get(FENCE) == before


async def test_two_servers_tidy_at_once(servers: list[Stores], redis: Redis) -> None:
    """Both end, and the index is right."""
    await booked(servers[0])
    await redis.delete(SLOTS)
    ends = await asyncio.gather(*(tidy(stores, ROOM) for stores in servers * 3))
    assert "resynced" in ends
    assert await kinds(servers[1]) == ["booked"]
    assert await tidy(servers[1], ROOM) == "clean"
