"""Neighbours of the flow that say what a test tells them to, and by default that all is well.

They hold nothing and judge nothing: how slots are judged is tested on real servers. Here the
point is HTTP.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from reservesvc.domain.booking import Booking, BookingQuery
from reservesvc.domain.entry import Entry
from reservesvc.domain.moves import BY_CALLER, Asked
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Deleted,
    Extended,
    Live,
    Pending,
    Released,
    Rescheduled,
    Reserved,
)
from reservesvc.domain.project import Project, Resource, unregistered
from reservesvc.domain.rescheduling import Fences
from reservesvc.domain.reservation import Claim, Reservation, ReservationId, granted
from reservesvc.domain.slot import ANY_TIME, Span
from reservesvc.ids import RandomIds
from reservesvc.ports import Ask, Idempotency, Index, Snapshot, Stores
from tests.builders import ROOM, a_booking, a_claim, at

NOW_MS = at(0)
DONE = True
RESERVATION_ID = f"{ROOM}.01JD0000000000000000000000"
CANCELLED_ID = "c4ce11ed-8f5e-4f5e-9d58-3a5a5f0d3c11"
BOOKING_ID = "0b5b0c6e-8f5e-4f5e-9d58-3a5a5f0d3c11"
PROJECT_ID = "5a1f4b9c-15ab-4c8a-92b5-1f4d1b8a7e10"


class Scripted:
    """Answers by method name: a value to return, an exception to raise, a function to await."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._answers: dict[str, Any] = {}

    def will(self, method: str, answer: Any) -> None:
        """Answer every further call of `method` with `answer`."""
        self._answers[method] = answer

    def called(self, method: str) -> tuple[Any, ...]:
        """Return the arguments of the last call of `method`."""
        return next(arguments for name, arguments in reversed(self.calls) if name == method)

    async def _say(self, method: str, default: Any, /, *arguments: Any) -> Any:
        self.calls.append((method, arguments))
        answer = self._answers.get(method, default)
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer


def a_reservation(reservation_id: ReservationId | None = None) -> Reservation:
    """Return a reservation with 30 seconds left."""
    if reservation_id is None:
        return granted(a_claim(ulid=RESERVATION_ID[-26:]), NOW_MS)
    return granted(
        a_claim(resource_id=reservation_id.resource_id, ulid=reservation_id.ulid), NOW_MS
    )


class StubReservations(Scripted):
    """`ports.ReservationStore`."""

    async def reserve(self, claim: Claim, capacity: int, idempotency: Idempotency | None) -> Any:
        """Grant it."""
        reserved = Reserved(reservation=granted(claim, NOW_MS))
        return await self._say("reserve", reserved, claim, capacity, idempotency)

    async def reserve_instead(self, claim: Claim, capacity: int, entry_id: str) -> Any:
        """Grant it."""
        reserved = Reserved(reservation=granted(claim, NOW_MS))
        return await self._say("reserve_instead", reserved, claim, capacity, entry_id)

    async def reserve_many(self, asks: Sequence[Ask]) -> Any:
        """Say `Reserved` to each, or as `reserve` was told."""
        return [await self.reserve(*ask) for ask in asks]

    async def read(self, reservation_id: ReservationId) -> Any:
        """Find it alive."""
        live = Live(reservation=a_reservation(reservation_id))
        return await self._say("read", live, reservation_id)

    async def live(self, resource_id: str, limit: int, offset: int, span: Span = ANY_TIME) -> Any:
        """Find one."""
        return await self._say("live", ([a_reservation()], 1), resource_id, limit, offset, span)

    async def extend(self, reservation_id: ReservationId, duration_ms: int) -> Any:
        """Extend it."""
        extended = Extended(reservation=a_reservation(reservation_id))
        return await self._say("extend", extended, reservation_id, duration_ms)

    async def release(
        self, reservation_id: ReservationId, idempotency: Idempotency | None = None
    ) -> Any:
        """Release it."""
        return await self._say("release", Released(), reservation_id, idempotency)

    async def unsettle_reservation(self, reservation: Reservation) -> Any:
        """Unsettle it."""
        pending = Pending(fence=1, nonce="n", now_ms=NOW_MS, reservation=reservation)
        return await self._say("unsettle_reservation", pending, reservation)

    async def unsettle_booking(self, entry: Entry) -> Any:
        """Unsettle it."""
        pending = Pending(fence=1, nonce="n", now_ms=NOW_MS)
        return await self._say("unsettle_booking", pending, entry)

    async def settle_booked(self, entry: Entry, pending: Pending, booking_id: str) -> Any:
        """Settle it."""
        return await self._say("settle_booked", DONE, entry, pending, booking_id)

    async def settle_freed(self, entry: Entry, pending: Pending) -> Any:
        """Settle it."""
        return await self._say("settle_freed", DONE, entry, pending)

    async def index(self, resource_id: str, start_ms: int | None = None) -> Any:
        """Return an empty one."""
        assert start_ms is None
        return await self._say("index", Index(since_ms=0, entries=[]), resource_id)

    async def indexes(self, cursor: int) -> Any:
        """Find none."""
        return await self._say("indexes", ([], 0), cursor)

    async def held(self, cursor: int, resource_id: str | None) -> Any:
        """Find none."""
        return await self._say("held", ([], 0), cursor, resource_id)

    async def since_ms(self) -> Any:
        """Reach back for ever."""
        return await self._say("since_ms", 0)

    async def now_ms(self) -> Any:
        """Return the tests' midnight."""
        return await self._say("now_ms", NOW_MS)

    async def usages(self, resource_ids: Sequence[str], start_ms: int, end_ms: int) -> Any:
        """Find none."""
        none: list[Any] = [[] for _ in resource_ids]
        return await self._say("usages", none, resource_ids, start_ms, end_ms)

    async def resync_begin(self, resource_id: str) -> Any:
        """Begin."""
        return await self._say("resync_begin", ("ticket", 0), resource_id)

    async def resync_install(self, resource_id: str, ticket: str, snapshot: Snapshot) -> Any:
        """Install."""
        return await self._say("resync_install", DONE, resource_id, ticket, snapshot)


class StubBookings(Scripted):
    """`ports.BookingStore`."""

    async def snapshot(self, resource_id: str, since_ms: int) -> Any:
        """Return an empty one."""
        return await self._say("snapshot", Snapshot(fence=1, bookings=[]), resource_id, since_ms)

    async def blocking(self, resource_id: str, since_ms: int) -> Any:
        """Find none."""
        return await self._say("blocking", Snapshot(fence=1, bookings=[]), resource_id, since_ms)

    async def used_resources(self, after: str, limit: int) -> Any:
        """Find none."""
        return await self._say("used_resources", [], after, limit)

    async def blocking_between(
        self, resource_ids: Sequence[str], start_ms: int, end_ms: int
    ) -> Any:
        """Find none."""
        return await self._say("blocking_between", {}, resource_ids, start_ms, end_ms)

    async def forget_keys(self, age_ms: int, limit: int) -> Any:
        """Forget none."""
        return await self._say("forget_keys", 0, age_ms, limit)

    async def book(self, booking: Booking, fence: int, idempotency: Idempotency | None) -> Any:
        """Book it."""
        return await self._say("book", Booked(booking=booking), booking, fence, idempotency)

    async def take_seat(self, booking: Booking, idempotency: Idempotency | None) -> Any:
        """Take it."""
        return await self._say("take_seat", Booked(booking=booking), booking, idempotency)

    async def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Any:
        """Change it."""
        changed = Changed(booking=replace(booking, state=state))
        arguments = (booking, state, fence, now_ms, asked, idempotency)
        return await self._say("change_state", changed, *arguments)

    async def due(self, limit: int, after: Booking | None) -> Any:
        """Find none."""
        return await self._say("due", [], limit, after)

    async def reckon_due(self, booking_ids: Sequence[str]) -> Any:
        """Reckon."""
        return await self._say("reckon_due", None, booking_ids)

    async def reschedule(
        self, booking: Booking, after: Booking, fences: Fences, idempotency: Idempotency | None
    ) -> Any:
        """Reschedule it."""
        rescheduled = Rescheduled(booking=after)
        return await self._say("reschedule", rescheduled, booking, after, fences, idempotency)

    async def changed_by_key(self, digest: str) -> Any:
        """Find none."""
        return await self._say("changed_by_key", None, digest)

    async def set_meta(self, booking_id: str, meta: dict[str, Any]) -> Any:
        """Set it."""
        changed = Changed(booking=a_booking(id=booking_id, meta=meta))
        return await self._say("set_meta", changed, booking_id, meta)

    async def delete_booking(self, booking: Booking, fence: int | None) -> Any:
        """Delete it."""
        return await self._say("delete_booking", Deleted(), booking, fence)

    async def booking(self, booking_id: str) -> Any:
        """Find it; one of them is cancelled."""
        state = "cancelled" if booking_id == CANCELLED_ID else "confirmed"
        return await self._say("booking", a_booking(id=booking_id, state=state), booking_id)

    async def booking_by_reservation(self, reservation_id: str) -> Any:
        """Find none."""
        return await self._say("booking_by_reservation", None, reservation_id)

    async def booking_by_key(self, digest: str) -> Any:
        """Find none."""
        return await self._say("booking_by_key", None, digest)

    async def bookings(self, query: BookingQuery) -> Any:
        """Find one."""
        return await self._say("bookings", ([a_booking(id=BOOKING_ID)], 1), query)

    async def create_project(self, project: Project, idempotency: Idempotency | None) -> Any:
        """Create it."""
        return await self._say("create_project", project, project, idempotency)

    async def update_project(self, project: Project, seen: Project | None = None) -> Any:
        """Update it."""
        return await self._say("update_project", project, project, seen)

    async def delete_project(self, project_id: str) -> Any:
        """Delete it."""
        return await self._say("delete_project", DONE, project_id)

    async def projects(self, limit: int, offset: int) -> Any:
        """Find one."""
        return await self._say("projects", ([a_project()], 1), limit, offset)

    async def create_resource(self, resource: Resource, idempotency: Idempotency | None) -> Any:
        """Register it."""
        return await self._say("create_resource", resource, resource, idempotency)

    async def update_resource(self, resource: Resource, seen: Resource | None = None) -> Any:
        """Update it."""
        return await self._say("update_resource", resource, resource, seen)

    async def delete_resource(self, resource_id: str) -> Any:
        """Delete it."""
        return await self._say("delete_resource", DONE, resource_id)

    async def resources(self, limit: int, offset: int) -> Any:
        """Find one."""
        return await self._say("resources", ([unregistered(ROOM)], 1), limit, offset)

    async def project(self, project_id: str) -> Any:
        """Find it."""
        return await self._say("project", a_project(id=project_id), project_id)

    async def project_by_slug(self, slug: str) -> Any:
        """Find it."""
        return await self._say("project_by_slug", a_project(slug=slug), slug)

    async def registered(self, resource_ids: Sequence[str]) -> Any:
        """Find that nobody registered them."""
        return await self._say("registered", [], resource_ids)

    async def resource(self, resource_id: str) -> Any:
        """Find it."""
        return await self._say("resource", unregistered(resource_id), resource_id)

    async def settings_version(self) -> Any:
        """Return the first."""
        return await self._say("settings_version", 1)


class StubSettings(Scripted):
    """`ports.Settings`."""

    async def project(self, project_id: str) -> Any:
        """Find it."""
        return await self._say("project", a_project(id=project_id), project_id)

    async def resource(self, resource_id: str) -> Any:
        """Find that nobody registered it."""
        return await self._say("resource", unregistered(resource_id), resource_id)

    def known(self, resource_id: str) -> None:
        """Have nothing in memory."""

    async def resources(self, resource_ids: Sequence[str]) -> Any:
        """Find that nobody registered them."""
        found = [unregistered(each) for each in resource_ids]
        return await self._say("resources", found, resource_ids)

    def forget(self) -> None:
        """Note that it was called."""
        self.calls.append(("forget", ()))


class Stubs:
    """All neighbours, and the `Stores` they make."""

    def __init__(self) -> None:
        self.reservations = StubReservations()
        self.bookings = StubBookings()
        self.settings = StubSettings()
        self.stores = Stores(self.reservations, self.bookings, self.settings, RandomIds())


def a_project(**fields: Any) -> Project:
    """Return a project that holds slots for two minutes."""
    values: dict[str, Any] = {"id": PROJECT_ID, "name": "Salon", "slug": "salon"}
    return Project(**(values | {"reservation_time": 120, "resources": (ROOM,)} | fields))
