"""unsettle.lua, settle.lua and the resync scripts on a real server."""

import pytest
from redis.asyncio import Redis

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Busy, Cold, Ended, Live, Pending, Reserved, Taken
from reservesvc.domain.reservation import Reservation
from reservesvc.ports import Snapshot, SnapshotBooking
from reservesvc.reservations.store import RedisReservations
from tests.builders import HOUR_MS, ROOM, a_booking, a_claim
from tests.lua.conftest import install

SLOTS = f"slots:{{{ROOM}}}"


async def reserved(store: RedisReservations, **claim: float) -> Reservation:
    """Reserve, and insist on it."""
    outcome = await store.reserve(a_claim(**claim), 1_000, None)  # type: ignore[arg-type]  # hours
    assert isinstance(outcome, Reserved)
    return outcome.reservation


async def unsettled(store: RedisReservations, reservation: Reservation) -> Pending:
    """Unsettle, and insist on it."""
    pending = await store.unsettle_reservation(reservation)
    assert isinstance(pending, Pending)
    return pending


async def ticket(store: RedisReservations) -> str:
    """Take a ticket, and insist on it."""
    begun = await store.resync_begin(ROOM)
    assert not isinstance(begun, Busy)
    return begun[0]


def key_of(reservation: Reservation) -> str:
    """Return the reservation's key."""
    return f"reservation:{{{ROOM}}}:{reservation.id.ulid}"


async def test_unsettle_marks_the_entry_with_a_nonce(warm: RedisReservations, redis: Redis) -> None:
    """The entry stays where it is, as kind u under our nonce; the key stays alive."""
    reservation = await reserved(warm)
    pending = await unsettled(warm, reservation)
    assert pending.fence == 1
    entry = reservation.entry
    assert await redis.zrange(SLOTS, 0, -1) == [f"u:{entry.end_ms}:1:{entry.id}:{pending.nonce}"]
    assert await redis.exists(key_of(reservation))


async def test_the_grace_is_given_once(warm: RedisReservations, redis: Redis) -> None:
    """A hand-off that began in time gets its grace; repeating it holds the slot no longer."""
    reservation = await reserved(warm, duration_ms=3_000)
    await unsettled(warm, reservation)
    assert 9_000 < await redis.pttl(key_of(reservation)) <= 10_000
    await redis.pexpire(key_of(reservation), 2_000)
    await unsettled(warm, reservation)
    assert await redis.pttl(key_of(reservation)) <= 2_000


async def test_the_grace_never_shortens(warm: RedisReservations, redis: Redis) -> None:
    """A reservation with more time left than the grace keeps it."""
    reservation = await reserved(warm, duration_ms=60_000)
    await unsettled(warm, reservation)
    assert await redis.pttl(key_of(reservation)) > 50_000


async def test_no_handoff_starts_after_the_end(warm: RedisReservations, redis: Redis) -> None:
    """Without its key a reservation is over, whatever the index still has."""
    reservation = await reserved(warm)
    await redis.delete(key_of(reservation))
    assert await warm.unsettle_reservation(reservation) == Ended(state="expired")


async def test_a_reservation_without_a_place_in_the_index_is_over(
    warm: RedisReservations, redis: Redis
) -> None:
    """Somebody deleted the index by hand: others may have the slot, so nothing is promised."""
    reservation = await reserved(warm)
    await redis.delete(SLOTS)
    assert await warm.unsettle_reservation(reservation) == Ended(state="expired")
    assert await warm.extend(reservation.id, 60_000) == Ended(state="expired")


async def test_unsettle_on_a_cold_index_changes_nothing(
    warm: RedisReservations, redis: Redis
) -> None:
    """The fence must be known before the store may decide."""
    reservation = await reserved(warm)
    await redis.delete(f"fence:{{{ROOM}}}")
    assert await warm.unsettle_reservation(reservation) == Cold()
    entry = reservation.entry
    assert await redis.zrange(SLOTS, 0, -1) == [f"r:{entry.end_ms}:1:{entry.id}"]


async def test_settle_books_and_ends_the_reservation(warm: RedisReservations, redis: Redis) -> None:
    """The entry is booked, the key is gone, the tombstone names the booking."""
    reservation = await reserved(warm)
    pending = await unsettled(warm, reservation)
    assert await warm.settle_booked(reservation.entry, pending, "b-1")
    assert not await redis.exists(key_of(reservation))
    assert await redis.zrange(SLOTS, 0, -1) == [f"b:{reservation.end_ms}:1:{reservation.id.ulid}"]
    ended = await warm.read(reservation.id)
    assert isinstance(ended, Ended)
    assert (ended.state, ended.booking_id) == ("converted", "b-1")
    assert 3_590_000 < await redis.pttl(f"ended:{{{ROOM}}}:{reservation.id.ulid}") <= 3_600_000
    assert await warm.reserve(a_claim(), 1, None) == Taken(by="booked")


async def test_settle_frees(warm: RedisReservations, redis: Redis) -> None:
    """Entry and key are gone and the slot is open."""
    reservation = await reserved(warm)
    pending = await unsettled(warm, reservation)
    assert await warm.settle_freed(reservation.entry, pending)
    assert await redis.zcard(SLOTS) == 0
    assert isinstance(await warm.reserve(a_claim(), 1, None), Reserved)


async def test_settle_needs_its_own_nonce(warm: RedisReservations, redis: Redis) -> None:
    """Whoever unsettled later decides; the earlier settle changes nothing."""
    reservation = await reserved(warm)
    first = await unsettled(warm, reservation)
    second = await unsettled(warm, reservation)
    assert not await warm.settle_freed(reservation.entry, first)
    assert await redis.exists(key_of(reservation))
    assert await warm.settle_booked(reservation.entry, second, "b-1")


async def test_settle_needs_its_own_fence(warm: RedisReservations, redis: Redis) -> None:
    """After a resync the index is right already; an older settle changes nothing."""
    reservation = await reserved(warm)
    pending = await unsettled(warm, reservation)
    await install(warm, Snapshot(fence=2, bookings=[]))
    before = await redis.zrange(SLOTS, 0, -1)
    assert not await warm.settle_booked(reservation.entry, pending, "b-1")
    assert await redis.zrange(SLOTS, 0, -1) == before


async def test_settle_needs_the_same_run_of_redis(warm: RedisReservations, redis: Redis) -> None:
    """A fence of the same number from before a restart does not count."""
    reservation = await reserved(warm)
    pending = await unsettled(warm, reservation)
    await redis.set(f"fence:{{{ROOM}}}", "1:deadbeef")
    assert not await warm.settle_booked(reservation.entry, pending, "b-1")


async def test_a_booking_is_unsettled_without_a_key(warm: RedisReservations, redis: Redis) -> None:
    """A cancel marks the booked entry; whoever meets it meanwhile has to ask the store."""
    booking = a_booking()
    await install(warm, Snapshot(fence=2, bookings=[snapshot_of(booking)]))
    pending = await warm.unsettle_booking(booking.entry)
    assert isinstance(pending, Pending)
    assert await warm.reserve(a_claim(), 1, None) == Cold()
    assert await warm.settle_freed(booking.entry, pending)
    assert await redis.zcard(SLOTS) == 0


async def test_unsettling_a_booking_ends_its_reservation_for_good(
    warm: RedisReservations, redis: Redis
) -> None:
    """A hand-off that crashed before settle leaves a live key; a cancel must not keep it."""
    reservation = await reserved(warm)
    await unsettled(warm, reservation)
    pending = await warm.unsettle_booking(reservation.entry)
    assert isinstance(pending, Pending)
    assert not await redis.exists(key_of(reservation))


async def test_unsettling_a_booking_the_index_lacks_asks_for_a_resync(
    warm: RedisReservations,
) -> None:
    """The store knows a booking that the index does not."""
    assert await warm.unsettle_booking(a_booking().entry) == Cold()


def snapshot_of(booking: Booking) -> SnapshotBooking:
    """Return the booking as a resync reads it."""
    return SnapshotBooking(entry=booking.entry, booking_id=booking.id)


async def test_install_keeps_the_live_and_drops_the_rest(
    warm: RedisReservations, redis: Redis
) -> None:
    """Snapshot bookings are booked, live reservations stay, dead and unknown entries go."""
    live = await reserved(warm, start=1, end=2)
    deciding = await reserved(warm, start=2, end=3)
    pending = await unsettled(warm, deciding)
    dead = await reserved(warm, start=3, end=4)
    await redis.delete(key_of(dead))
    lost = await reserved(warm, start=4, end=5)
    await unsettled(warm, lost)
    await redis.delete(key_of(lost))
    booking = a_booking(a_claim(5, 6))
    await install(warm, Snapshot(fence=2, bookings=[snapshot_of(booking)]))
    assert await redis.zrange(SLOTS, 0, -1) == [
        f"r:{live.end_ms}:1:{live.id.ulid}",
        f"u:{deciding.end_ms}:1:{deciding.id.ulid}:{pending.nonce}",
        f"b:{booking.end_ms}:1:{booking.entry_id}",
    ]


async def test_install_ends_reservations_that_are_bookings(
    warm: RedisReservations, redis: Redis
) -> None:
    """A hand-off that crashed after its commit is finished by the resync."""
    reservation = await reserved(warm)
    await unsettled(warm, reservation)
    entry = SnapshotBooking(entry=reservation.entry, booking_id="b-1")
    await install(warm, Snapshot(fence=2, bookings=[entry]))
    assert not await redis.exists(key_of(reservation))
    ended = await warm.read(reservation.id)
    assert isinstance(ended, Ended)
    assert (ended.state, ended.booking_id) == ("converted", "b-1")


async def test_a_later_ticket_makes_an_earlier_one_worthless(
    store: RedisReservations, redis: Redis
) -> None:
    """An old snapshot never overwrites a newer one."""
    old = await ticket(store)
    await redis.pexpire(f"resync:{{{ROOM}}}", 4_000)  # as if it were a second old
    new = await ticket(store)
    booking = SnapshotBooking(entry=a_booking().entry, booking_id="b-1")
    assert await store.resync_install(ROOM, new, Snapshot(fence=2, bookings=[booking]))
    assert not await store.resync_install(ROOM, old, Snapshot(fence=1, bookings=[]))
    assert str(await redis.get(f"fence:{{{ROOM}}}")).startswith("2:")
    assert await redis.zcard(SLOTS) == 1


async def test_a_ticket_is_worth_nothing_in_another_run(
    store: RedisReservations, redis: Redis
) -> None:
    """A Redis that fell back to an earlier state takes no snapshot from before."""
    mine = await ticket(store)
    await redis.set(f"resync:{{{ROOM}}}", f"{mine}:deadbeef", px=5_000)
    assert not await store.resync_install(ROOM, mine, Snapshot(fence=1, bookings=[]))
    assert not await redis.exists(f"fence:{{{ROOM}}}")


async def test_a_ticket_is_good_for_one_installation(store: RedisReservations) -> None:
    """The same resync sent twice installs once."""
    mine = await ticket(store)
    assert await store.resync_install(ROOM, mine, Snapshot(fence=1, bookings=[]))
    assert not await store.resync_install(ROOM, mine, Snapshot(fence=1, bookings=[]))


async def test_a_fresh_ticket_is_left_alone(store: RedisReservations, redis: Redis) -> None:
    """Two servers do not keep taking it from each other; a stale one is free to take."""
    first = await ticket(store)
    assert await store.resync_begin(ROOM) == Busy()
    assert await store.resync_install(ROOM, first, Snapshot(fence=1, bookings=[]))
    await ticket(store)
    await redis.pexpire(f"resync:{{{ROOM}}}", 4_700)
    assert not isinstance(await store.resync_begin(ROOM), Busy)


async def test_begin_names_the_earliest_end_a_snapshot_needs(
    store: RedisReservations, redis: Redis
) -> None:
    """It is a year before now on Redis' clock."""
    begun = await store.resync_begin(ROOM)
    assert not isinstance(begun, Busy)
    _, since_ms = begun
    seconds, _ = await redis.time()
    assert abs(seconds * 1000 - since_ms - 366 * 24 * HOUR_MS) < 5_000


@pytest.mark.parametrize(("lengths", "expected"), [((1, 1), None), ((8, 1), 8 * HOUR_MS)])
async def test_install_knows_how_long_overlapping_entries_are(
    warm: RedisReservations, redis: Redis, lengths: tuple[int, int], expected: int | None
) -> None:
    """Of entries that overlap the longest counts; where none does there is nothing to know."""
    claims = [a_claim(1, 1 + lengths[0]), a_claim(3, 3 + lengths[1]), a_claim(20, 24)]
    bookings = [snapshot_of(a_booking(claim)) for claim in claims]
    await install(warm, Snapshot(fence=2, bookings=bookings))
    found = await redis.get(f"overlap:{{{ROOM}}}")
    assert (int(found) if found else None) == expected


async def test_a_large_snapshot_is_installed_whole(warm: RedisReservations, redis: Redis) -> None:
    """Five thousand bookings are five thousand entries."""
    bookings = [snapshot_of(a_booking(a_claim(hour, hour + 1))) for hour in range(5_000)]
    await install(warm, Snapshot(fence=2, bookings=bookings))
    assert await redis.zcard(SLOTS) == 5_000
    assert await warm.reserve(a_claim(4_999, 5_000), 1, None) == Taken(by="booked")
    assert isinstance(await warm.reserve(a_claim(5_000, 5_001), 1, None), Reserved)


async def test_read_tells_a_live_reservation(warm: RedisReservations) -> None:
    """It comes back as it was written."""
    reservation = await reserved(warm)
    outcome = await warm.read(reservation.id)
    assert isinstance(outcome, Live)
    assert outcome.reservation.document == reservation.document
