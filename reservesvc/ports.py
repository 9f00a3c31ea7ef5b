"""What the flow needs of the outside: one Protocol a neighbour, one sentence a method.

Every method of a store may raise `UnavailableError` (nothing was changed) and, where it
changes something, `OutcomeUnknownError` (it may have been).
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct, field

from reservesvc.domain.booking import Booking, BookingQuery
from reservesvc.domain.entry import Entry
from reservesvc.domain.moves import BY_CALLER, Asked
from reservesvc.domain.outcomes import (
    Booked,
    Busy,
    Changed,
    Cold,
    Deleted,
    Ended,
    Extended,
    ExtensionLimit,
    FenceMoved,
    KeyReused,
    Live,
    NoSeat,
    NotFound,
    NotOpen,
    OutOfReach,
    Overdue,
    Overtaken,
    Pending,
    Released,
    ReplayedEnded,
    Rescheduled,
    Reserved,
    Taken,
    Unsettled,
)
from reservesvc.domain.project import Project, Resource
from reservesvc.domain.rescheduling import Fences
from reservesvc.domain.reservation import Claim, Reservation, ReservationId
from reservesvc.domain.slot import ANY_TIME, Span, Use
from reservesvc.errors import UnavailableError

Made = TypeVar("Made")


class Idempotency(Struct, frozen=True):
    """An Idempotency-Key as the stores see it."""

    digest: str
    """names caller, call and key"""
    fingerprint: str
    """names the body the key was first sent with"""

    def judge(self, found: tuple[Made, str]) -> Made | KeyReused:
        """Return what the key made when it first came, if it came with the same body then.

        Args:
            found: what it made, and the fingerprint it came with.

        """
        made, fingerprint = found
        return made if fingerprint == self.fingerprint else KeyReused()


Ask = tuple[Claim, int, Idempotency | None]
"""one claim of many: what is claimed, under which capacity, with which key"""


class SnapshotBooking(Struct, frozen=True, kw_only=True):
    """A blocking booking as a resync installs it."""

    entry: Entry
    booking_id: str


class Snapshot(Struct, frozen=True, kw_only=True):
    """A resource's blocking bookings and the fence that was raised as they were read."""

    fence: int
    bookings: list[SnapshotBooking]


class IndexEntry(Struct, frozen=True, kw_only=True):
    """An entry as the index has it."""

    kind: Literal["reserved", "unsettled", "booked"]
    entry: Entry
    has_key: bool
    """a reservation key stands behind it; a booked one needs none"""


class Index(Struct, frozen=True, kw_only=True):
    """A resource's index, without what is dead."""

    since_ms: int
    """bookings that end by then need not be in it"""
    entries: list[IndexEntry]


class ColdUsages(Struct, frozen=True, kw_only=True):
    """What a cold index knows for sure; the booking store knows the rest."""

    live: list[Entry]
    """of reservations whose key lives"""


class ReservationStore(Protocol):
    """Reservations and the index over them (Redis)."""

    async def reserve(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Hold the slot if nothing blocks it, atomically."""
        ...

    async def reserve_instead(
        self, claim: Claim, capacity: int, entry_id: str
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Hold the slot as `reserve` does, with the entry `entry_id` in nobody's way."""
        ...

    async def read(self, reservation_id: ReservationId) -> Live | Ended:
        """Return the reservation, or how it ended as far as Redis knows."""
        ...

    async def live(
        self, resource_id: str, limit: int, offset: int, span: Span = ANY_TIME
    ) -> tuple[list[Reservation], int] | Cold:
        """Return one page of a resource's live reservations by start, and how many there are.

        Only of those that overlap the span.
        """
        ...

    async def extend(
        self, reservation_id: ReservationId, duration_ms: int
    ) -> Extended | Ended | Unsettled | ExtensionLimit:
        """Move the deadline to `duration_ms` from now, if that is later."""
        ...

    async def reserve_many(
        self, asks: Sequence[Ask]
    ) -> list[Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken | UnavailableError]:
        """Reserve each, all sent together; one that failed has its error in its place."""
        ...

    async def release(
        self, reservation_id: ReservationId, idempotency: Idempotency | None = None
    ) -> Released | Ended | Unsettled:
        """Free the slot and leave a tombstone; `idempotency` is forgotten with it."""
        ...

    async def unsettle_reservation(self, reservation: Reservation) -> Pending | Ended | Cold:
        """Mark a live reservation's entry as being decided by the booking store."""
        ...

    async def unsettle_booking(self, entry: Entry) -> Pending | Cold:
        """Mark a booked entry as being decided by the booking store."""
        ...

    async def settle_booked(self, entry: Entry, pending: Pending, booking_id: str) -> bool:
        """Make the entry booked, end its reservation; False where a resync did it already."""
        ...

    async def settle_freed(self, entry: Entry, pending: Pending) -> bool:
        """Remove the entry, end its reservation; False where a resync did it already."""
        ...

    async def index(self, resource_id: str, start_ms: int | None = None) -> Index | Cold:
        """Return the entries that are not dead; with `start_ms` only those that begin then."""
        ...

    async def indexes(self, cursor: int) -> tuple[list[str], int]:
        """Return some resources that have an index, and where to go on; 0 begins and ends.

        A round finds each at least once, if it is there all the time.
        """
        ...

    async def held(self, cursor: int, resource_id: str | None) -> tuple[list[ReservationId], int]:
        """Return some live reservations by their keys alone, of one resource or all, as `indexes`.

        A reservation that lives has an entry in its resource's index, or holds nothing.
        """
        ...

    async def now_ms(self) -> int:
        """Return what Redis' clock shows."""
        ...

    async def since_ms(self) -> int:
        """Return how far back indexes reach: bookings that ended by then need not be in any."""
        ...

    async def usages(
        self, resource_ids: Sequence[str], start_ms: int, end_ms: int
    ) -> list[list[Use] | ColdUsages]:
        """Return what uses each resource's capacity between the two, in no order.

        In a few calls for all of them, whose number grows with what is found.
        """
        ...

    async def resync_begin(self, resource_id: str) -> tuple[str, int] | Busy:
        """Take a ticket for a resync; return it and the earliest end its snapshot must have."""
        ...

    async def resync_install(self, resource_id: str, ticket: str, snapshot: Snapshot) -> bool:
        """Make the snapshot the index, if no later ticket was taken."""
        ...


class BookingStore(Protocol):
    """Bookings, projects, resources (SQL). Each method is one transaction."""

    async def snapshot(self, resource_id: str, since_ms: int) -> Snapshot:
        """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
        ...

    async def blocking(self, resource_id: str, since_ms: int) -> Snapshot:
        """Return what `snapshot` would, with the fence as it stands."""
        ...

    async def used_resources(self, after: str, limit: int) -> list[str]:
        """Return the next resources by id that were ever reserved or booked, up to `limit`."""
        ...

    async def blocking_between(
        self, resource_ids: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Entry]]:
        """Return the bookings that block the resources and overlap the time, by resource.

        A resource that has none is left out.
        """
        ...

    async def forget_keys(self, age_ms: int, limit: int) -> int:
        """Forget Idempotency-Keys older than `age_ms`, `limit` of a kind; return how many.

        Bookings stay; they only no longer answer to their key.
        """
        ...

    async def book(
        self, booking: Booking, fence: int, idempotency: Idempotency | None
    ) -> Booked | FenceMoved | Taken | KeyReused:
        """Insert the booking under the fence, with its timer counted from now.

        In this order: a booking with its reservation id is the answer; a moved fence means
        start again; more than the resource's capacity at any instant is `Taken`.
        """
        ...

    async def take_seat(
        self, booking: Booking, idempotency: Idempotency | None
    ) -> Booked | KeyReused | NoSeat | NotFound:
        """Insert the booking of a group's customer, where and when the group is.

        In this order: a booking with its reservation id or its key is the answer; no owner is
        `NotFound`; more seats than the owner has left is `NoSeat`.
        """
        ...

    async def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
        """Move the booking from the state it was read in to `state`, and its customers on.

        A key that changed the booking before is answered first, with the booking as it is
        now. `NotOpen` where it has left that state meanwhile (with no open actions filled in).
        `Taken` where it would claim a slot that is gone. `fence` is None for a change that
        leaves the slot as it is, or frees one too old for any index; `now_ms` None takes the
        store's own clock. What a timer asks for is done only if it is due, and goes before
        what a caller asks for: `Overdue`.
        """
        ...

    async def reschedule(
        self, booking: Booking, after: Booking, fences: Fences, idempotency: Idempotency | None
    ) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
        """Put the booking, as it was read, into the slot, entry and time it has in `after`.

        In this order: what the key did, or an entry that is the new one already, is the answer;
        `NotOpen` where another state or entry was given to it meanwhile (with no open actions
        filled in); a moved fence means start again; more than the capacity is `Taken`, the
        booking itself not counted.
        """
        ...

    async def changed_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking that an Idempotency-Key changed, and the fingerprint it came with.

        The key came with an action or a reschedule.
        """
        ...

    async def set_meta(self, booking_id: str, meta: dict[str, Any]) -> Changed | NotFound:
        """Replace what the booking has as meta."""
        ...

    async def delete_booking(
        self, booking: Booking, fence: int | None
    ) -> Deleted | FenceMoved | NotFound | NotOpen:
        """Delete the booking, as it was read; `fence` is None for one that no index has.

        `NotOpen` where another state or entry was given to it meanwhile (with no open actions
        filled in). The fence of the resource that it was reserved on is raised: a repeated
        hand-off that is still under way finds no booking any more, and must not make another.
        """
        ...

    async def due(self, limit: int, after: Booking | None) -> list[Booking]:
        """Return the next bookings with a timer that has run out or was never worked out.

        They come by the instant they were due, from where `after` stood.
        """
        ...

    async def reckon_due(self, booking_ids: Sequence[str]) -> None:
        """Work out anew when the bookings' timers are due."""
        ...

    async def booking(self, booking_id: str) -> Booking | None:
        """Return the booking."""
        ...

    async def booking_by_reservation(self, reservation_id: str) -> Booking | None:
        """Return the booking that the reservation became."""
        ...

    async def booking_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking an Idempotency-Key made, and the fingerprint it came with."""
        ...

    async def bookings(self, query: BookingQuery) -> tuple[list[Booking], int]:
        """Return one page of the bookings that match, and how many match in all."""
        ...

    async def create_project(
        self, project: Project, idempotency: Idempotency | None
    ) -> Project | KeyReused | None:
        """Insert the project, or return the one its key made; None where the slug is taken."""
        ...

    async def update_project(
        self, project: Project, seen: Project | None = None
    ) -> Project | NotFound | Overtaken | None:
        """Replace the project; None where another has its slug.

        `Overtaken` where it is not as it was `seen`; None stands for however it is.
        """
        ...

    async def delete_project(self, project_id: str) -> bool:
        """Delete the project; False where there was none."""
        ...

    async def projects(self, limit: int, offset: int) -> tuple[list[Project], int]:
        """Return one page of the projects by creation, and how many there are."""
        ...

    async def create_resource(
        self, resource: Resource, idempotency: Idempotency | None
    ) -> Resource | KeyReused | None:
        """Register the resource, or return the one its key made; None where the id is taken."""
        ...

    async def update_resource(
        self, resource: Resource, seen: Resource | None = None
    ) -> Resource | NotFound | Overtaken:
        """Replace the resource; `seen` as for a project."""
        ...

    async def delete_resource(self, resource_id: str) -> bool:
        """Unregister the resource; False where it was not registered."""
        ...

    async def resources(self, limit: int, offset: int) -> tuple[list[Resource], int]:
        """Return one page of the registered resources by id, and how many there are."""
        ...

    async def project(self, project_id: str) -> Project | None:
        """Return the project."""
        ...

    async def project_by_slug(self, slug: str) -> Project | None:
        """Return the project that has the slug."""
        ...

    async def resource(self, resource_id: str) -> Resource | None:
        """Return the resource, if it is registered."""
        ...

    async def registered(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return those of the resources that are registered, in no order."""
        ...

    async def settings_version(self) -> int:
        """Return a number that every change to a project or a resource raises."""
        ...


class Settings(Protocol):
    """Projects and resources as the hot path sees them: in memory, at most a second old."""

    async def project(self, project_id: str) -> Project | None:
        """Return the project."""
        ...

    async def resource(self, resource_id: str) -> Resource:
        """Return the resource; an unregistered one has capacity 1."""
        ...

    def known(self, resource_id: str) -> Resource | None:
        """Return what `resource` would, or None where that would have to wait."""
        ...

    async def resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return the resources in this order, as `resource` does, in one read at most."""
        ...

    def forget(self) -> None:
        """Drop what is in memory, after a change made by this process."""
        ...


class Ids(Protocol):
    """Where new names come from; unguessable, for whoever has a reservation's id can act on it."""

    def ulid(self) -> str:
        """Return a new ULID."""
        ...

    def uuid(self) -> str:
        """Return a new random UUID."""
        ...

    def token(self) -> str:
        """Return a new nonce or ticket: short, of letters and digits."""
        ...


class Stores(Struct, frozen=True):
    """What a verb of the flow works with."""

    reservations: ReservationStore
    bookings: BookingStore
    settings: Settings
    ids: Ids
    resyncs: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """the resyncs that run in this process right now, by resource"""
