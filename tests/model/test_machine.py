"""Any sequence of requests, lapses and losses ends as the model says, on real stores."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import Redis

from reservesvc.bookings.settings import CachedSettings
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.booking import BookingQuery
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Ended,
    Extended,
    NotOpen,
    Released,
    Reserved,
    Taken,
)
from reservesvc.domain.project import Resource
from reservesvc.domain.reservation import ReservationId
from reservesvc.domain.slot import Usage
from reservesvc.domain.wish import Limits, Wish
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.extend import extend
from reservesvc.flow.read import live
from reservesvc.flow.release import release
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.builders import IDS, ROOM, a_wish, at
from tests.model.model import Model
from tests.servers import RedisServer

T = TypeVar("T")
LIMITS = Limits()
HOURS = st.integers(0, 11)
LENGTHS = st.integers(1, 5)
QUANTITIES = st.integers(1, 2)
GIVES_BACK = {"instant": "cancel", "confirm_decline": "decline", "instant_payment": "timeout"}
"""the graphs that hold what a reservation held from the start, and how each gives it back"""


class Machine(RuleBasedStateMachine):
    """The service beside its model."""

    server: RedisServer
    reservations: Bundle[str] = Bundle("reservations")
    bookings: Bundle[tuple[str, str, str]] = Bundle("bookings")
    tentative: Bundle[tuple[str, str]] = Bundle("tentative")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.mkdtemp(prefix="rsv-model-")
        self.redis = Redis.from_url(self.server.url, decode_responses=True, protocol=2)
        self.pipeline = Pipeline(self.server.url, deadline_s=5)
        self.store = self.run(SqliteBookingStore.open(Path(self.directory) / "b.sqlite3"))
        self.stores = Stores(
            RedisReservations(self.pipeline, Keys(), IDS, Times()),
            self.store,
            CachedSettings(self.store),
            IDS,
        )
        self.run(self.redis.flushall())

    def run(self, work: Awaitable[T]) -> T:
        """Run one step of the story to its end."""

        async def step() -> T:
            return await work

        return self.loop.run_until_complete(step())

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.run(self.pipeline.close())
        self.run(self.store.close())
        self.run(self.redis.aclose())
        self.loop.close()
        shutil.rmtree(self.directory)

    @initialize(capacity=st.integers(1, 3))
    def register(self, capacity: int) -> None:
        """Begin with a resource of some capacity."""
        self.model = Model(capacity)
        resource = Resource(id=ROOM, name="Room", capacity=capacity)
        self.run(self.store.create_resource(resource, None))

    @rule(target=reservations, start=HOURS, length=LENGTHS, quantity=QUANTITIES)
    def reserve(self, start: int, length: int, quantity: int) -> Any:
        """Reserve: granted exactly if there is room."""
        quantity = min(quantity, self.model.capacity)
        usage = Usage(at(start), at(start + length), quantity)
        wish = a_wish(start, start + length, quantity=quantity)
        outcome = self.run(reserve(self.stores, LIMITS, wish, None))
        if not self.model.fits(usage):
            assert isinstance(outcome, Taken)
            return multiple()
        assert isinstance(outcome, Reserved)
        self.model.held[str(outcome.reservation.id)] = usage
        return str(outcome.reservation.id)

    @rule(reservation=reservations)
    def extend(self, reservation: str) -> None:
        """Extend: exactly what lives."""
        outcome = self.run(extend(self.stores, _id(reservation), 60))
        assert isinstance(outcome, Extended if reservation in self.model.held else Ended)

    @rule(reservation=reservations)
    def release(self, reservation: str) -> None:
        """Release: exactly what lives."""
        outcome = self.run(release(self.stores, _id(reservation)))
        was_held = self.model.held.pop(reservation, None) is not None
        assert isinstance(outcome, Released if was_held else Ended)

    @rule(reservation=reservations)
    def lapse(self, reservation: str) -> None:
        """Let its time run out."""
        self.model.held.pop(reservation, None)
        parsed = _id(reservation)
        self.run(self.redis.delete(f"reservation:{{{parsed.resource_id}}}:{parsed.ulid}"))

    @rule(target=bookings, reservation=reservations, graph=st.sampled_from(sorted(GIVES_BACK)))
    def hand_off(self, reservation: str, graph: str) -> Any:
        """Hand off: what lives is booked, what was booked is answered again."""
        outcome = self.run(hand_off(self.stores, Wish(graph=graph), _id(reservation), None))
        if not self.model.convert(reservation):
            assert isinstance(outcome, Ended)
            return multiple()
        assert isinstance(outcome, Booked)
        return (reservation, outcome.booking.id, outcome.booking.graph)

    @rule(target=bookings, start=HOURS, length=LENGTHS)
    def book(self, start: int, length: int) -> Any:
        """Book directly: granted exactly if there is room."""
        usage = Usage(at(start), at(start + length), 1)
        outcome = self.run(book(self.stores, LIMITS, a_wish(start, start + length), None))
        if not self.model.fits(usage):
            assert isinstance(outcome, Taken)
            return multiple()
        assert isinstance(outcome, Booked)
        self.model.booked[outcome.booking.reservation_id] = usage
        return (outcome.booking.reservation_id, outcome.booking.id, "instant")

    @rule(target=tentative, start=HOURS, length=LENGTHS)
    def ask(self, start: int, length: int) -> Any:
        """Ask for a slot that somebody has to confirm: only if there is room, and it stays free."""
        usage = Usage(at(start), at(start + length), 1)
        wish = a_wish(start, start + length, graph="confirm_decline")
        outcome = self.run(book(self.stores, LIMITS, wish, None))
        if not self.model.fits(usage):
            assert isinstance(outcome, Taken)
            return multiple()
        assert isinstance(outcome, Booked)
        self.model.waiting[outcome.booking.reservation_id] = usage
        return (outcome.booking.reservation_id, outcome.booking.id)

    @rule(target=bookings, booking=tentative)
    def confirm(self, booking: tuple[str, str]) -> Any:
        """Confirm: exactly if there is room by now, and once; the repeat is told so."""
        reservation, booking_id = booking
        outcome = self.run(act(self.stores, booking_id, "confirm"))
        if reservation not in self.model.waiting:
            self._tell_repeat(outcome, is_repeat=reservation in self.model.booked)
            return multiple()
        if not self.model.confirm(reservation):
            assert isinstance(outcome, Taken)
            return multiple()
        assert isinstance(outcome, Changed)
        return (reservation, booking_id, "instant")  # from here on they are alike

    @rule(booking=tentative)
    def decline(self, booking: tuple[str, str]) -> None:
        """Decline: what was not confirmed yet, and once; the repeat is told so."""
        reservation, booking_id = booking
        outcome = self.run(act(self.stores, booking_id, "decline"))
        if reservation not in self.model.waiting:
            self._tell_repeat(outcome, is_repeat=reservation in self.model.declined)
            return
        assert isinstance(outcome, Changed)
        self.model.decline(reservation)

    def _tell_repeat(self, outcome: object, *, is_repeat: bool) -> None:
        """Check that the last action again is answered, and that it is too late for any other."""
        assert isinstance(outcome, Changed if is_repeat else NotOpen)
        assert not isinstance(outcome, Changed) or outcome.repeated

    @rule(booking=consumes(bookings))
    def give_back(self, booking: tuple[str, str, str]) -> None:
        """Cancel, decline, or let the payment time out: once; the repeat is told so."""
        reservation, booking_id, graph = booking
        outcome = self.run(act(self.stores, booking_id, GIVES_BACK[graph]))
        assert isinstance(outcome, Changed)
        assert outcome.repeated == (reservation not in self.model.booked)
        if reservation in self.model.booked:
            self.model.cancel(reservation)

    @rule()
    def lose_redis(self) -> None:
        """Redis forgets everything: reservations are lost, bookings are not."""
        self.model.held.clear()
        self.run(self.redis.flushall())

    @rule()
    def lose_the_fence(self) -> None:
        """The index turns cold: nothing is lost."""
        self.run(self.redis.delete(f"fence:{{{ROOM}}}"))

    @invariant()
    def lists_agree(self) -> None:
        """What lives and what is booked is what the model says."""
        if not hasattr(self, "model"):
            return
        found, total = self.run(live(self.stores, ROOM, 1000, 0))
        assert {str(reservation.id) for reservation in found} == set(self.model.held)
        assert total == len(self.model.held)
        booked, _ = self.run(self.store.bookings(BookingQuery(limit=1000)))
        blocking = {booking.reservation_id for booking in booked if booking.blocks}
        assert blocking == set(self.model.booked)


def _id(text: str) -> ReservationId:
    parsed = ReservationId.parse(text)
    assert parsed is not None
    return parsed


def test_any_sequence_ends_as_the_model_says(redis_server: RedisServer) -> None:
    """Hypothesis looks for a sequence of requests that breaks a promise, and finds none."""
    Machine.server = redis_server
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
