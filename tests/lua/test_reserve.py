"""reserve.lua on a real server: who gets a slot, and when it comes free."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from reservesvc.domain.outcomes import (
    Cold,
    KeyReused,
    Past,
    ReplayedEnded,
    Reserved,
    Taken,
    TooFar,
)
from reservesvc.domain.reservation import Claim
from reservesvc.domain.slot import Usage, peak
from reservesvc.ports import Idempotency, Snapshot, SnapshotBooking
from reservesvc.reservations.store import SWEEP, RedisReservations, Times
from tests.builders import HOUR_MS, IDS, ROOM, YEARS_AGO, a_booking, a_claim, at
from tests.lua.conftest import install

KEY = Idempotency(digest="d1", fingerprint="f1")


async def held(store: RedisReservations, claim: Claim, capacity: int = 1) -> Reserved:
    """Reserve, and insist on it."""
    outcome = await store.reserve(claim, capacity, None)
    assert isinstance(outcome, Reserved), outcome
    return outcome


async def test_a_free_slot_is_held_by_one_readable_key(
    warm: RedisReservations, redis: Redis
) -> None:
    """The key's TTL is the duration and its value is the document of the reply."""
    claim = a_claim(duration_ms=30_000)
    outcome = await held(warm, claim)
    key = f"reservation:{{{ROOM}}}:{claim.id.ulid}"
    assert [key async for key in redis.scan_iter("reservation:*")] == [key]
    assert 29_000 < await redis.pttl(key) <= 30_000
    assert await redis.get(key) == outcome.reservation.document.decode()
    assert await redis.zrange(f"slots:{{{ROOM}}}", 0, -1, withscores=True) == [
        (f"r:{claim.end_ms}:1:{claim.id.ulid}", claim.start_ms)
    ]


async def test_the_document_bears_redis_time(warm: RedisReservations, redis: Redis) -> None:
    """Created and expires are a duration apart, on Redis' clock, to the millisecond."""
    claim = a_claim(duration_ms=30_000)
    outcome = await held(warm, claim)
    expires_ms = await redis.pexpiretime(f"reservation:{{{ROOM}}}:{claim.id.ulid}")
    assert outcome.reservation.expires_ms == outcome.reservation.now_ms + 30_000
    assert abs(expires_ms - outcome.reservation.expires_ms) <= 1


@pytest.mark.parametrize(
    ("start", "end"), [(10, 11), (9.5, 10.5), (10.5, 11.5), (9, 12), (10.25, 10.75)]
)
async def test_an_overlapping_slot_is_taken(
    warm: RedisReservations, start: float, end: float
) -> None:
    """Whatever shares an instant with a held slot is refused, with the time it lapses."""
    await held(warm, a_claim(10, 11, duration_ms=30_000))
    outcome = await warm.reserve(a_claim(start, end), 1, None)
    assert isinstance(outcome, Taken)
    assert outcome.by == "reserved"
    assert 29_000 < (outcome.retry_after_ms or 0) <= 30_001


@pytest.mark.parametrize(("start", "end"), [(9, 10), (11, 12), (0, 10), (11, 24)])
async def test_an_adjacent_slot_is_free(warm: RedisReservations, start: float, end: float) -> None:
    """Slots are half-open: 10–11 leaves 9–10 and 11–12 alone."""
    await held(warm, a_claim(10, 11))
    await held(warm, a_claim(start, end))


async def test_another_resource_is_free(warm: RedisReservations) -> None:
    """Resources do not know each other."""
    await held(warm, a_claim())
    await install(warm, Snapshot(fence=1, bookings=[]), "room-2")
    await held(warm, a_claim(resource_id="room-2"))


async def test_a_cold_index_grants_nothing(store: RedisReservations) -> None:
    """Without a fence nobody knows what is booked."""
    assert await store.reserve(a_claim(), 1, None) == Cold()


async def test_an_index_of_an_earlier_run_is_cold(warm: RedisReservations, redis: Redis) -> None:
    """A fence from before Redis was started again does not count."""
    await redis.set(f"fence:{{{ROOM}}}", "1:deadbeef")
    assert await warm.reserve(a_claim(), 1, None) == Cold()


async def test_deleting_the_key_frees_the_slot(warm: RedisReservations, redis: Redis) -> None:
    """An operator's DEL is obeyed at once, and the entry it leaves is dropped."""
    first = await held(warm, a_claim())
    await redis.delete(f"reservation:{{{ROOM}}}:{first.reservation.id.ulid}")
    second = await held(warm, a_claim())
    end_ms = second.reservation.end_ms
    assert await redis.zrange(f"slots:{{{ROOM}}}", 0, -1) == [
        f"r:{end_ms}:1:{second.reservation.id.ulid}"
    ]


async def test_a_slot_is_free_in_the_millisecond_its_reservation_ends(
    warm: RedisReservations,
) -> None:
    """No claim wins before the deadline on Redis' clock; the hint names the winning instant."""
    first = await held(warm, a_claim(duration_ms=40))
    while True:
        outcome = await warm.reserve(a_claim(), 1, None)
        if isinstance(outcome, Reserved):
            break
        assert isinstance(outcome, Taken)
        assert 1 <= (outcome.retry_after_ms or 0) <= 41
    assert outcome.reservation.now_ms >= first.reservation.expires_ms


async def test_a_booked_slot_is_taken_for_good(warm: RedisReservations) -> None:
    """Behind a booking there is no hint to try again."""
    booked = SnapshotBooking(entry=a_booking().entry, booking_id="b-1")
    await install(warm, Snapshot(fence=2, bookings=[booked]))
    assert await warm.reserve(a_claim(10.5, 12), 1, None) == Taken(by="booked")


async def test_a_booking_behind_reservations_is_seen(warm: RedisReservations) -> None:
    """A wide claim over reservations and a booking gets no hint: waiting is of no use."""
    booked = SnapshotBooking(entry=a_booking(a_claim(10, 11)).entry, booking_id="b-1")
    await install(warm, Snapshot(fence=2, bookings=[booked]))
    await held(warm, a_claim(11, 12))
    await held(warm, a_claim(12, 13))
    assert await warm.reserve(a_claim(10, 14), 1, None) == Taken(by="booked")


async def test_capacity_counts_what_overlaps_at_one_instant(warm: RedisReservations) -> None:
    """Two units: 10–11 and 11–12 use one at a time, so 10–12 fits once more and then no more."""
    await held(warm, a_claim(10, 11), capacity=2)
    await held(warm, a_claim(11, 12), capacity=2)
    await held(warm, a_claim(10, 12), capacity=2)
    assert isinstance(await warm.reserve(a_claim(10.5, 11.5), 2, None), Taken)


@pytest.mark.parametrize("change", [10 + 1 / HOUR_MS, 12 - 1 / HOUR_MS], ids=["first", "last"])
async def test_what_changes_a_millisecond_within_the_slot_leaves_room(
    warm: RedisReservations, change: float
) -> None:
    """Two units: of 9 until then and from then to 13, only one is in use at any instant."""
    await held(warm, a_claim(9, change), capacity=2)
    await held(warm, a_claim(change, 13), capacity=2)
    await held(warm, a_claim(10, 12), capacity=2)
    assert isinstance(await warm.reserve(a_claim(10, 12), 2, None), Taken)


async def test_quantity_counts_units(warm: RedisReservations) -> None:
    """Three of five units leave room for two, not for three."""
    await held(warm, a_claim(quantity=3), capacity=5)
    assert isinstance(await warm.reserve(a_claim(quantity=3), 5, None), Taken)
    await held(warm, a_claim(quantity=2), capacity=5)


async def test_lapsed_units_count_no_more(warm: RedisReservations, redis: Redis) -> None:
    """A full resource has room again when one of its keys is gone."""
    first = await held(warm, a_claim(), capacity=2)
    await held(warm, a_claim(), capacity=2)
    assert isinstance(await warm.reserve(a_claim(), 2, None), Taken)
    await redis.delete(f"reservation:{{{ROOM}}}:{first.reservation.id.ulid}")
    await held(warm, a_claim(), capacity=2)


async def test_a_lowered_capacity_still_sees_every_entry(warm: RedisReservations) -> None:
    """A long entry under a short later one blocks, though the nearest entry does not."""
    await held(warm, a_claim(8, 18), capacity=2)
    await held(warm, a_claim(9, 10), capacity=2)
    assert isinstance(await warm.reserve(a_claim(11, 12), 1, None), Taken)


async def test_a_long_entry_before_overlapping_ones_is_seen(warm: RedisReservations) -> None:
    """Overlaps elsewhere, shorter than it, do not hide a long entry that stands alone."""
    await held(warm, a_claim(30, 31), capacity=2)
    await held(warm, a_claim(30, 31), capacity=2)
    await held(warm, a_claim(0, 20), capacity=2)
    assert isinstance(await warm.reserve(a_claim(19, 20), 1, None), Taken)


async def test_many_dead_entries_are_dropped_a_few_at_a_time(
    warm: RedisReservations, redis: Redis
) -> None:
    """Lapsed entries in the way cost several short calls, and the answer is the same."""
    for _ in range(2 * SWEEP + 5):
        await warm.reserve(a_claim(8, 18), 1_000, None)
    await redis.delete(*[key async for key in redis.scan_iter("reservation:*")])
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await held(warm, a_claim())
    after = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert after - before == 3
    assert await redis.zcard(f"slots:{{{ROOM}}}") == 1


async def test_an_unsettled_entry_without_a_key_asks_for_a_resync(
    warm: RedisReservations, redis: Redis
) -> None:
    """Only the booking store knows whether such a slot is booked."""
    first = await held(warm, a_claim())
    await warm.unsettle_reservation(first.reservation)
    assert isinstance(await warm.reserve(a_claim(), 1, None), Taken)
    await redis.delete(f"reservation:{{{ROOM}}}:{first.reservation.id.ulid}")
    assert await warm.reserve(a_claim(), 1, None) == Cold()


async def test_the_same_claim_twice_is_one_reservation(warm: RedisReservations) -> None:
    """A claim sent again after its reply was lost answers with what it did."""
    claim = a_claim()
    first = await held(warm, claim)
    second = await held(warm, claim)
    assert second.reservation.document == first.reservation.document
    assert not second.replayed


async def test_a_key_replays_its_reservation(warm: RedisReservations, redis: Redis) -> None:
    """Same key, same body: the first reservation again, and the key is remembered a day."""
    first = await warm.reserve(a_claim(), 1, KEY)
    second = await warm.reserve(a_claim(), 1, KEY)
    assert isinstance(first, Reserved)
    assert isinstance(second, Reserved)
    assert second.replayed
    assert second.reservation.id == first.reservation.id
    assert 86_390_000 < await redis.pttl(f"idempotency:{{{ROOM}}}:d1") <= 86_400_000


async def test_a_key_with_another_body_is_refused(warm: RedisReservations) -> None:
    """Same key, other fingerprint: nothing is reserved."""
    await warm.reserve(a_claim(), 1, KEY)
    other = Idempotency(digest="d1", fingerprint="f2")
    assert await warm.reserve(a_claim(20, 21), 1, other) == KeyReused()
    await held(warm, a_claim(20, 21))


async def test_a_refused_request_pins_nothing(warm: RedisReservations, redis: Redis) -> None:
    """A key whose first request was refused can still be used."""
    first = await held(warm, a_claim())
    assert isinstance(await warm.reserve(a_claim(), 1, KEY), Taken)
    await redis.delete(f"reservation:{{{ROOM}}}:{first.reservation.id.ulid}")
    outcome = await warm.reserve(a_claim(), 1, KEY)
    assert isinstance(outcome, Reserved)
    assert not outcome.replayed


async def test_a_key_does_not_revive_an_ended_reservation(
    warm: RedisReservations, redis: Redis
) -> None:
    """Once its reservation is gone, a key makes no second one."""
    first = await warm.reserve(a_claim(), 1, KEY)
    assert isinstance(first, Reserved)
    await redis.delete(f"reservation:{{{ROOM}}}:{first.reservation.id.ulid}")
    assert await warm.reserve(a_claim(), 1, KEY) == ReplayedEnded(ulid=first.reservation.id.ulid)


async def test_a_slot_further_back_than_the_index_is_refused(warm: RedisReservations) -> None:
    """What ended more than a year ago is not in the index, so it is never granted."""
    outcome = await warm.reserve(a_claim(YEARS_AGO, YEARS_AGO + 1), 1, None)
    assert isinstance(outcome, Past)
    assert at(YEARS_AGO) < outcome.earliest_ms < at(0)


async def test_a_slot_that_ends_too_far_ahead_is_refused(
    warm: RedisReservations, redis: Redis
) -> None:
    """The limit is on the clock of Redis and on the slot's end; nothing is written."""
    limit_ms = await warm.now_ms() + Times().ahead_ms
    hours = (limit_ms - at(0)) / HOUR_MS
    assert isinstance(await warm.reserve(a_claim(hours - 2, hours - 0.1), 1, None), Reserved)
    before = await redis.dbsize()
    outcome = await warm.reserve(a_claim(hours - 0.05, hours + 0.1), 1, None)
    assert isinstance(outcome, TooFar)
    assert limit_ms <= outcome.latest_ms < limit_ms + HOUR_MS
    assert await redis.dbsize() == before


async def test_the_index_outlives_its_entries_and_its_fence(
    warm: RedisReservations, redis: Redis
) -> None:
    """A fence that outlived its index would call every slot free."""
    await held(warm, a_claim())
    slots, fence = f"slots:{{{ROOM}}}", f"fence:{{{ROOM}}}"
    assert await redis.pttl(slots) > await redis.pttl(fence) + 86_400_000
    await redis.pexpire(fence, 1_000_000)
    await redis.delete(slots)
    await held(warm, a_claim())
    assert await redis.pttl(slots) > await redis.pttl(fence) + 86_400_000


async def test_a_thousand_clients_one_winner(warm: RedisReservations) -> None:
    """Everybody wants one slot in the same instant; one gets it, all others hear when."""
    outcomes = await asyncio.gather(*(warm.reserve(a_claim(), 1, None) for _ in range(1000)))
    assert sum(isinstance(outcome, Reserved) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Taken) for outcome in outcomes) == 999


@st.composite
def _plans(draw: st.DrawFn) -> list[tuple[int, int, int, int, bool]]:
    """Draw claims: start, length, quantity, capacity asked under, and whether one lapses."""
    claim = st.tuples(
        st.integers(0, 12), st.integers(1, 8), st.integers(1, 3), st.integers(1, 4), st.booleans()
    )
    return draw(st.lists(claim, min_size=1, max_size=25))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plan=_plans(), data=st.data())
async def test_grants_are_those_of_brute_force(
    warm: RedisReservations,
    redis: Redis,
    plan: list[tuple[int, int, int, int, bool]],
    data: st.DataObject,
) -> None:
    """Whatever was granted under whatever capacity, a claim is granted exactly if it fits."""
    await redis.flushall()
    await install(warm, Snapshot(fence=1, bookings=[]))
    live: dict[str, Usage] = {}
    for start, length, quantity, capacity, lapses in plan:
        if lapses and live:
            ulid = data.draw(st.sampled_from(sorted(live)))
            await redis.delete(f"reservation:{{{ROOM}}}:{ulid}")
            del live[ulid]
        claim = a_claim(start, start + length, quantity=quantity, ulid=IDS.ulid())
        fits = peak(live.values(), claim.start_ms, claim.end_ms) + quantity <= capacity
        outcome = await warm.reserve(claim, capacity, None)
        assert isinstance(outcome, Reserved) == fits
        if fits:
            live[claim.id.ulid] = Usage(claim.start_ms, claim.end_ms, quantity)
