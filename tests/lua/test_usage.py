"""usage.lua on a real server: what uses a capacity between two instants, page by page."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import Pending, Reserved
from reservesvc.domain.slot import Usage, Use
from reservesvc.ports import ColdUsages, Snapshot, SnapshotBooking
from reservesvc.reservations import usages as usages_module
from reservesvc.reservations.store import RedisReservations
from tests.builders import IDS, ROOM, a_claim, at
from tests.lua.conftest import install

DAY = at(0), at(24)


def a_snapshot_booking(start: float, end: float, quantity: int = 1) -> SnapshotBooking:
    """Return a booking as a resync installs it."""
    entry = Entry(
        resource_id=ROOM,
        id=IDS.ulid(),
        start_ms=at(start),
        end_ms=at(end),
        quantity=quantity,
    )
    return SnapshotBooking(entry=entry, booking_id=IDS.uuid())


async def used(
    store: RedisReservations, start_ms: int, end_ms: int, resource_id: str = ROOM
) -> list[Use]:
    """Return what is used, by start; the index has to be warm."""
    (found,) = await store.usages([resource_id], start_ms, end_ms)
    assert isinstance(found, list)
    return sorted(found)


async def held(store: RedisReservations, start: float, end: float, capacity: int = 1) -> str:
    """Reserve, insist on it and return the reservation's key."""
    claim = a_claim(start, end)
    assert isinstance(await store.reserve(claim, capacity, None), Reserved)
    return f"reservation:{{{ROOM}}}:{claim.id.ulid}"


async def test_what_is_reserved_and_what_is_booked(store: RedisReservations) -> None:
    """Both count, with their quantity; what only touches the time does not."""
    await install(store, Snapshot(fence=1, bookings=[a_snapshot_booking(8, 10, 3)]))
    for hours in ((10, 11), (11, 12), (5, 6), (14, 15)):
        await held(store, *hours)
    assert await used(store, at(6), at(14)) == [
        Usage(at(8), at(10), 3),
        Usage(at(10), at(11), 1),
        Usage(at(11), at(12), 1),
    ]


async def test_what_lapsed_is_back_at_once(warm: RedisReservations, redis: Redis) -> None:
    """Without its key a reservation counts no more, nor does it hide what is before it."""
    await held(warm, 2, 9)
    lapsed = await held(warm, 9, 10)
    await redis.delete(lapsed)
    assert await used(warm, at(8), at(12)) == [Usage(at(2), at(9), 1)]


async def test_a_dead_entry_hides_nothing(warm: RedisReservations, redis: Redis) -> None:
    """Not even one that was never granted: the walk goes on behind it."""
    await held(warm, 2, 12)
    await redis.zadd(f"slots:{{{ROOM}}}", {f"r:{at(6)}:1:{IDS.ulid()}": at(5)})
    assert await used(warm, at(8), at(9)) == [Usage(at(2), at(12), 1)]


async def test_what_is_undecided_counts(warm: RedisReservations, redis: Redis) -> None:
    """An unsettled entry may be a booking: with its key and without."""
    claim = a_claim()
    outcome = await warm.reserve(claim, 1, None)
    assert isinstance(outcome, Reserved)
    assert isinstance(await warm.unsettle_reservation(outcome.reservation), Pending)
    assert len(await used(warm, *DAY)) == 1
    await redis.delete(f"reservation:{{{ROOM}}}:{claim.id.ulid}")
    assert len(await used(warm, *DAY)) == 1


async def test_a_long_one_reaches_into_the_time(warm: RedisReservations) -> None:
    """Where entries overlap, one that began long before is found behind others."""
    await held(warm, 0, 20, capacity=5)
    for hour in range(5):
        await held(warm, hour + 1, hour + 1.5, capacity=5)
    assert await used(warm, at(8), at(9)) == [Usage(at(0), at(20), 1)]


async def test_a_cold_index_tells_what_lives(warm: RedisReservations, redis: Redis) -> None:
    """Reservations with their keys, and their ids; bookings are the booking store's to tell."""
    await held(warm, 9, 10)
    lapsed = await held(warm, 10, 11)
    await redis.delete(lapsed)
    await redis.zadd(f"slots:{{{ROOM}}}", {f"b:{at(13)}:1:{IDS.ulid()}": at(12)})
    await redis.delete(f"fence:{{{ROOM}}}")
    (found,) = await warm.usages([ROOM], *DAY)
    assert isinstance(found, ColdUsages)
    assert [(each.resource_id, each.start_ms) for each in found.live] == [(ROOM, at(9))]


async def test_many_resources_in_their_order(store: RedisReservations) -> None:
    """Cold ones, warm ones and full ones, each in its place."""
    rooms = [f"room-{number}" for number in range(40)]
    for number, room in enumerate(rooms[::2]):
        await install(store, Snapshot(fence=1, bookings=[]), room)
        claim = a_claim(number, number + 1, resource_id=room)
        assert isinstance(await store.reserve(claim, 1, None), Reserved)
    found = await store.usages(rooms, at(0), at(40))
    assert found[::2] == [[Usage(at(number), at(number + 1), 1)] for number in range(20)]
    assert found[1::2] == [ColdUsages(live=[])] * 20


@pytest.mark.parametrize("page", [1, 2, 3, 7])
async def test_pages_leave_out_nothing_and_repeat_nothing(
    warm: RedisReservations, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Wherever a page ends, also among entries of one start."""
    monkeypatch.setattr(usages_module, "PAGE", page)
    starts = [1, 1, 1, 2, 3, 3, 5, 5, 5, 5]
    for start in starts:
        await held(warm, start, start + 2, capacity=20)
    assert await used(warm, *DAY) == [Usage(at(hour), at(hour + 2), 1) for hour in starts]


async def test_an_index_that_gets_warm_in_between_is_read_again(
    warm: RedisReservations, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of a cold index and of a warm one do not mix."""
    monkeypatch.setattr(usages_module, "PAGE", 2)
    for hour in range(6):
        await held(warm, hour, hour + 1)
    fence = await redis.getdel(f"fence:{{{ROOM}}}")
    call_many = warm._call_many

    async def warming(*arguments: object) -> object:
        answers = await call_many(*arguments)  # type: ignore[arg-type]  # passed on as they are
        await redis.set(f"fence:{{{ROOM}}}", str(fence))
        return answers

    monkeypatch.setattr(warm, "_call_many", warming)
    assert await used(warm, *DAY) == [Usage(at(hour), at(hour + 1), 1) for hour in range(6)]


CLAIMS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(1, 3)), min_size=1, max_size=25
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CLAIMS, st.integers(1, 4), st.sets(st.integers(0, 24)), st.integers(0, 20))
async def test_usages_are_those_of_a_list(
    store: RedisReservations,
    redis: Redis,
    claims: list[tuple[int, int, int]],
    capacity: int,
    lapsing: set[int],
    from_hour: int,
) -> None:
    """Any claims, any of which have lapsed: those that overlap the time, and no others."""
    await redis.flushall()
    await install(store, Snapshot(fence=1, bookings=[]))
    living: list[Usage] = []
    for place, (start, length, quantity) in enumerate(claims):
        claim = a_claim(start, start + length, quantity=quantity)
        outcome = await store.reserve(claim, capacity, None)
        if isinstance(outcome, Reserved) and place in lapsing:
            await redis.delete(f"reservation:{{{ROOM}}}:{claim.id.ulid}")
        elif isinstance(outcome, Reserved):
            living.append(Usage(claim.start_ms, claim.end_ms, quantity))
    start_ms, end_ms = at(from_hour), at(from_hour + 4)
    expected = [u for u in living if u.start_ms < end_ms and u.end_ms > start_ms]
    assert await used(store, start_ms, end_ms) == sorted(expected)
