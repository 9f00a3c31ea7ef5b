"""The booking store on PostgreSQL: `reservesvc.ports.BookingStore`, method by method.

Each method names a transaction of one of the `postgres_…` modules and how it runs; what that
means is `postgres_database`'s.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from reservesvc.bookings import (
    postgres_bookings,
    postgres_changes,
    postgres_due,
    postgres_keys,
    postgres_projects,
    postgres_reschedule,
    postgres_resources,
    postgres_schema,
    postgres_search,
    postgres_seats,
    postgres_settings,
    postgres_slots,
)
from reservesvc.bookings.postgres_database import Database, Patience
from reservesvc.bookings.postgres_errors import DEPENDENCY
from reservesvc.bookings.postgres_together import Sent, Together
from reservesvc.domain.booking import Booking, BookingQuery
from reservesvc.domain.entry import Entry
from reservesvc.domain.moves import BY_CALLER, Asked
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Deleted,
    FenceMoved,
    KeyReused,
    NoSeat,
    NotFound,
    NotOpen,
    Overdue,
    Overtaken,
    Rescheduled,
    Taken,
)
from reservesvc.domain.project import Project, Resource
from reservesvc.domain.rescheduling import Fences
from reservesvc.errors import ConfigError, UnavailableError
from reservesvc.ports import Idempotency, Snapshot

POOL_MAX = 10
"""The most connections of one server, where nobody says"""
PATIENCE = Patience.within(deadline_s=2.0)


class PostgresBookingStore:
    """Bookings, projects and resources in a PostgreSQL database.

    Any number of servers may share it. Every method raises `UnavailableError` where the
    database cannot do its part and nothing was changed, and the changing ones
    `OutcomeUnknownError` where the answer to COMMIT was lost; `book` and `snapshot` then look
    for themselves, and raise it only where they cannot.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(database.act_once, database.patience.call_s / 2)

    @classmethod
    async def open(
        cls,
        url: str,
        pool_max: int = POOL_MAX,
        patience: Patience = PATIENCE,
        observe: Callable[[float], None] = lambda _: None,
    ) -> Self:
        """Return the store in the database at `url`, whose schema is left as it is.

        Args:
            url: `postgresql://…`
            pool_max: the most connections to have at once.
            patience: how long to wait for what.
            observe: told the seconds of every call.

        Raises:
            ConfigError: the schema is not the one that this code works with.
            UnavailableError: the database cannot be reached, or is not safe for bookings.

        """
        store = cls(await Database(url, pool_max, patience, observe).open())
        try:
            await store._check_at_start()
        except BaseException:
            await store.close()
            raise
        return store

    async def _check_at_start(self) -> None:
        found = await self._database.read(postgres_schema.facts)
        wrong_version = postgres_schema.version_problem(found.version) if found.has_schema else None
        if wrong_version:
            raise ConfigError(wrong_version)
        await self.ping()

    async def close(self) -> None:
        """Finish what was begun, then disconnect. May be called again."""
        await self._database.close()

    async def ping(self) -> None:
        """Check that bookings can safely be kept: schema, constraint, and no standby.

        Raises:
            UnavailableError: they cannot.

        """
        why = postgres_schema.problem(await self._database.read(postgres_schema.facts))
        if why:
            raise UnavailableError(DEPENDENCY, why)

    async def snapshot(self, resource_id: str, since_ms: int) -> Snapshot:
        """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
        work = partial(postgres_slots.snapshot, resource_id=resource_id, since_ms=since_ms)
        # A fence raised once more than needed makes others start again, no worse.
        return await self._database.write(work, again=work)

    async def blocking(self, resource_id: str, since_ms: int) -> Snapshot:
        """Return what `snapshot` would, with the fence as it stands."""
        return await self._database.read(
            partial(postgres_slots.blocking, resource_id=resource_id, since_ms=since_ms)
        )

    async def used_resources(self, after: str, limit: int) -> list[str]:
        """Return the next resources by id that were ever reserved or booked, up to `limit`."""
        return await self._database.read(
            partial(postgres_slots.used_resources, after=after, limit=limit)
        )

    async def blocking_between(
        self, resource_ids: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Entry]]:
        """Return the bookings that block the resources and overlap the time, by resource."""
        return await self._database.look(
            partial(
                postgres_slots.blocking_between,
                resource_ids=resource_ids,
                start_ms=start_ms,
                end_ms=end_ms,
            )
        )

    async def forget_keys(self, age_ms: int, limit: int) -> int:
        """Forget Idempotency-Keys older than `age_ms`, `limit` of a kind; return how many."""
        found = await self._database.read(
            partial(postgres_keys.expired, age_ms=age_ms, limit=limit)
        )
        if found:
            work = partial(postgres_keys.forget, expired=found)
            await self._database.write(work, again=work)
        return len(found)

    async def book(
        self, booking: Booking, fence: int, idempotency: Idempotency | None
    ) -> Booked | FenceMoved | Taken | KeyReused:
        """Insert the booking under the fence."""
        until_s = self._database.until_s()
        first = partial(
            postgres_bookings.book, booking=booking, fence=fence, idempotency=idempotency
        )
        again = partial(first, is_again=True)
        # Not with a key: who waits for another's use of it must have no other resource locked.
        if idempotency is None:
            answer = await self._together.book(booking, fence)
            if not isinstance(answer, Sent):
                return answer
            if answer is Sent.AGAIN:
                return await self._database.resolve(again, until_s)
        return await self._database.act(first, again, until_s)

    async def take_seat(
        self, booking: Booking, idempotency: Idempotency | None
    ) -> Booked | KeyReused | NoSeat | NotFound:
        """Insert the booking of a group's customer, where and when the group is."""
        work = partial(postgres_seats.take_seat, booking=booking, idempotency=idempotency)
        # Where an attempt was committed and its answer lost, its booking repeats this one.
        return await self._database.write(work, again=work)

    async def change_state(
        self,
        booking: Booking,
        state: str,
        fence: int | None,
        now_ms: int | None,
        asked: Asked = BY_CALLER,
        idempotency: Idempotency | None = None,
    ) -> Changed | FenceMoved | KeyReused | NotOpen | NotFound | Overdue | Taken:
        """Move the booking from the state it was read in to `state`, and its customers on."""
        return await self._database.write(
            partial(
                postgres_bookings.change_state,
                booking=booking,
                state=state,
                fence=fence,
                now_ms=now_ms,
                asked=asked,
                idempotency=idempotency,
            )
        )

    async def reschedule(
        self, booking: Booking, after: Booking, fences: Fences, idempotency: Idempotency | None
    ) -> Rescheduled | FenceMoved | KeyReused | NotFound | NotOpen | Taken:
        """Put the booking into the slot it has in `after`."""
        work = partial(
            postgres_reschedule.reschedule,
            booking=booking,
            after=after,
            fences=fences,
            idempotency=idempotency,
        )
        # Not tried again by itself: an attempt of unknown fate could come after a refusal.
        return await self._database.write(work)

    async def changed_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking that an Idempotency-Key changed, and its fingerprint."""
        return await self._database.read(partial(postgres_bookings.changed_by_key, digest=digest))

    async def set_meta(self, booking_id: str, meta: dict[str, Any]) -> Changed | NotFound:
        """Replace what the booking has as meta."""
        work = partial(postgres_changes.set_meta, booking_id=booking_id, meta=meta)
        return await self._database.write(work)

    async def delete_booking(
        self, booking: Booking, fence: int | None
    ) -> Deleted | FenceMoved | NotFound | NotOpen:
        """Delete the booking, as it was read."""
        work = partial(postgres_changes.delete, booking=booking, fence=fence)
        return await self._database.write(work)

    async def due(self, limit: int, after: Booking | None) -> list[Booking]:
        """Return the next bookings with a timer that has run out or was never worked out."""
        return await self._database.read(partial(postgres_due.due, limit=limit, after=after))

    async def reckon_due(self, booking_ids: Sequence[str]) -> None:
        """Work out anew when the bookings' timers are due."""
        work = partial(postgres_due.reckon_due, booking_ids=booking_ids)
        await self._database.write(work, again=work)

    async def booking(self, booking_id: str) -> Booking | None:
        """Return the booking."""
        return await self._database.look(partial(postgres_bookings.by_id, booking_id=booking_id))

    async def booking_by_reservation(self, reservation_id: str) -> Booking | None:
        """Return the booking that the reservation became."""
        return await self._database.look(
            partial(postgres_bookings.by_reservation, reservation_id=reservation_id)
        )

    async def booking_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking an Idempotency-Key made, and the fingerprint it came with."""
        return await self._database.look(partial(postgres_bookings.by_key, digest=digest))

    async def bookings(self, query: BookingQuery) -> tuple[list[Booking], int]:
        """Return one page of the bookings that match, and how many match in all."""
        return await self._database.read(partial(postgres_search.matching, query=query))

    async def create_project(
        self, project: Project, idempotency: Idempotency | None
    ) -> Project | KeyReused | None:
        """Insert the project, or return the one its key made; None where the slug is taken."""
        return await self._database.write(
            partial(postgres_projects.create, project=project, idempotency=idempotency)
        )

    async def update_project(
        self, project: Project, seen: Project | None = None
    ) -> Project | NotFound | Overtaken | None:
        """Replace the project; None where another has its slug."""
        return await self._database.write(
            partial(postgres_projects.update, project=project, seen=seen)
        )

    async def delete_project(self, project_id: str) -> bool:
        """Delete the project; False where there was none."""
        return await self._database.write(partial(postgres_projects.delete, project_id=project_id))

    async def projects(self, limit: int, offset: int) -> tuple[list[Project], int]:
        """Return one page of the projects by creation, and how many there are."""
        return await self._database.read(
            partial(postgres_projects.page, limit=limit, offset=offset)
        )

    async def create_resource(
        self, resource: Resource, idempotency: Idempotency | None
    ) -> Resource | KeyReused | None:
        """Register the resource, or return the one its key made; None where the id is taken."""
        return await self._database.write(
            partial(postgres_resources.create, resource=resource, idempotency=idempotency)
        )

    async def update_resource(
        self, resource: Resource, seen: Resource | None = None
    ) -> Resource | NotFound | Overtaken:
        """Replace the resource."""
        return await self._database.write(
            partial(postgres_resources.update, resource=resource, seen=seen)
        )

    async def delete_resource(self, resource_id: str) -> bool:
        """Unregister the resource; False where it was not registered."""
        return await self._database.write(
            partial(postgres_resources.delete, resource_id=resource_id)
        )

    async def resources(self, limit: int, offset: int) -> tuple[list[Resource], int]:
        """Return one page of the registered resources by id, and how many there are."""
        return await self._database.read(
            partial(postgres_resources.page, limit=limit, offset=offset)
        )

    async def project(self, project_id: str) -> Project | None:
        """Return the project."""
        return await self._database.look(partial(postgres_projects.by_id, project_id=project_id))

    async def project_by_slug(self, slug: str) -> Project | None:
        """Return the project that has the slug."""
        return await self._database.look(partial(postgres_projects.by_slug, slug=slug))

    async def resource(self, resource_id: str) -> Resource | None:
        """Return the resource, if it is registered."""
        return await self._database.look(partial(postgres_resources.by_id, resource_id=resource_id))

    async def registered(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return those of the resources that are registered, in no order."""
        return await self._database.look(partial(postgres_resources.of, resource_ids=resource_ids))

    async def settings_version(self) -> int:
        """Return a number that every change to a project or a resource raises."""
        return await self._database.look(postgres_settings.version)
