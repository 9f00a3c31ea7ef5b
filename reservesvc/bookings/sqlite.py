"""The booking store on SQLite: `reservesvc.ports.BookingStore`, method by method.

Each method names a transaction of one of the `sqlite_…` modules and whether it writes; how
it runs is `sqlite_database`'s.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from reservesvc.bookings import (
    sqlite_bookings,
    sqlite_changes,
    sqlite_due,
    sqlite_keys,
    sqlite_projects,
    sqlite_reschedule,
    sqlite_resources,
    sqlite_schema,
    sqlite_search,
    sqlite_seats,
    sqlite_settings,
    sqlite_slots,
)
from reservesvc.bookings.sqlite_database import Database
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
from reservesvc.ports import Idempotency, Snapshot

BUSY_S = 1.5
"""How long a call waits for others to let go of the file; less than a request's deadline"""
READ_S = 1.5
"""How long one read may take; less than a request's deadline"""


class SqliteBookingStore:
    """Bookings, projects and resources in one SQLite file.

    Several processes of one machine may share the file; not those of several machines.
    Every method raises `UnavailableError` where the file cannot do its part and nothing was
    changed, and the changing ones `OutcomeUnknownError` where the COMMIT itself failed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(
        cls,
        path: str | Path,
        busy_s: float = BUSY_S,
        read_s: float = READ_S,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
        observe: Callable[[float], None] = lambda _: None,
    ) -> Self:
        """Return the store in the file `path`, made where there is none.

        Args:
            path: the file.
            busy_s: how long a call waits for others to let go of the file.
            read_s: how long one read may take.
            connection_class: what opens the file; for tests that make it fail.
            observe: told the seconds of every call.

        Raises:
            UnavailableError: the file cannot be opened.
            ConfigError: it is no booking store, or one of a newer version.

        """
        database = Database(Path(path), busy_s, read_s, connection_class, observe)
        return cls(await database.open())

    async def close(self) -> None:
        """Finish what was begun, then close the file. May be called again."""
        await self._database.close()

    async def ping(self) -> None:
        """Check that the file can be written and has the schema this code works with.

        Raises:
            UnavailableError: it has not, or cannot.

        """
        await self._database.write(sqlite_schema.check)

    async def snapshot(self, resource_id: str, since_ms: int) -> Snapshot:
        """Raise the resource's fence, return its blocking bookings that end after `since_ms`."""
        return await self._database.write(
            partial(sqlite_slots.snapshot, resource_id=resource_id, since_ms=since_ms)
        )

    async def blocking(self, resource_id: str, since_ms: int) -> Snapshot:
        """Return what `snapshot` would, with the fence as it stands."""
        return await self._database.read(
            partial(sqlite_slots.blocking, resource_id=resource_id, since_ms=since_ms)
        )

    async def used_resources(self, after: str, limit: int) -> list[str]:
        """Return the next resources by id that were ever reserved or booked, up to `limit`."""
        return await self._database.read(
            partial(sqlite_slots.used_resources, after=after, limit=limit)
        )

    async def blocking_between(
        self, resource_ids: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, list[Entry]]:
        """Return the bookings that block the resources and overlap the time, by resource."""
        return await self._database.read(
            partial(
                sqlite_slots.blocking_between,
                resource_ids=resource_ids,
                start_ms=start_ms,
                end_ms=end_ms,
            )
        )

    async def forget_keys(self, age_ms: int, limit: int) -> int:
        """Forget Idempotency-Keys older than `age_ms`, `limit` of a kind; return how many."""
        # Looking first: a write that changes nothing would still wait for the disk.
        found = await self._database.read(partial(sqlite_keys.expired, age_ms=age_ms, limit=limit))
        if found:
            await self._database.write(partial(sqlite_keys.forget, expired=found))
        return len(found)

    async def book(
        self, booking: Booking, fence: int, idempotency: Idempotency | None
    ) -> Booked | FenceMoved | Taken | KeyReused:
        """Insert the booking under the fence."""
        return await self._database.write(
            partial(sqlite_bookings.book, booking=booking, fence=fence, idempotency=idempotency)
        )

    async def take_seat(
        self, booking: Booking, idempotency: Idempotency | None
    ) -> Booked | KeyReused | NoSeat | NotFound:
        """Insert the booking of a group's customer, where and when the group is."""
        return await self._database.write(
            partial(sqlite_seats.take_seat, booking=booking, idempotency=idempotency)
        )

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
                sqlite_bookings.change_state,
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
        return await self._database.write(
            partial(
                sqlite_reschedule.reschedule,
                booking=booking,
                after=after,
                fences=fences,
                idempotency=idempotency,
            )
        )

    async def changed_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking that an Idempotency-Key changed, and its fingerprint."""
        return await self._database.read(partial(sqlite_bookings.changed_by_key, digest=digest))

    async def set_meta(self, booking_id: str, meta: dict[str, Any]) -> Changed | NotFound:
        """Replace what the booking has as meta."""
        work = partial(sqlite_changes.set_meta, booking_id=booking_id, meta=meta)
        return await self._database.write(work)

    async def delete_booking(
        self, booking: Booking, fence: int | None
    ) -> Deleted | FenceMoved | NotFound | NotOpen:
        """Delete the booking, as it was read."""
        work = partial(sqlite_changes.delete, booking=booking, fence=fence)
        return await self._database.write(work)

    async def due(self, limit: int, after: Booking | None) -> list[Booking]:
        """Return the next bookings with a timer that has run out or was never worked out."""
        return await self._database.read(partial(sqlite_due.due, limit=limit, after=after))

    async def reckon_due(self, booking_ids: Sequence[str]) -> None:
        """Work out anew when the bookings' timers are due."""
        await self._database.write(partial(sqlite_due.reckon_due, booking_ids=booking_ids))

    async def booking(self, booking_id: str) -> Booking | None:
        """Return the booking."""
        return await self._database.read(partial(sqlite_bookings.by_id, booking_id=booking_id))

    async def booking_by_reservation(self, reservation_id: str) -> Booking | None:
        """Return the booking that the reservation became."""
        return await self._database.read(
            partial(sqlite_bookings.by_reservation, reservation_id=reservation_id)
        )

    async def booking_by_key(self, digest: str) -> tuple[Booking, str] | None:
        """Return the booking an Idempotency-Key made, and the fingerprint it came with."""
        return await self._database.read(partial(sqlite_bookings.by_key, digest=digest))

    async def bookings(self, query: BookingQuery) -> tuple[list[Booking], int]:
        """Return one page of the bookings that match, and how many match in all."""
        return await self._database.read(partial(sqlite_search.matching, query=query))

    async def create_project(
        self, project: Project, idempotency: Idempotency | None
    ) -> Project | KeyReused | None:
        """Insert the project, or return the one its key made; None where the slug is taken."""
        return await self._database.write(
            partial(sqlite_projects.create, project=project, idempotency=idempotency)
        )

    async def update_project(
        self, project: Project, seen: Project | None = None
    ) -> Project | NotFound | Overtaken | None:
        """Replace the project; None where another has its slug."""
        return await self._database.write(
            partial(sqlite_projects.update, project=project, seen=seen)
        )

    async def delete_project(self, project_id: str) -> bool:
        """Delete the project; False where there was none."""
        return await self._database.write(partial(sqlite_projects.delete, project_id=project_id))

    async def projects(self, limit: int, offset: int) -> tuple[list[Project], int]:
        """Return one page of the projects by creation, and how many there are."""
        return await self._database.read(partial(sqlite_projects.page, limit=limit, offset=offset))

    async def create_resource(
        self, resource: Resource, idempotency: Idempotency | None
    ) -> Resource | KeyReused | None:
        """Register the resource, or return the one its key made; None where the id is taken."""
        return await self._database.write(
            partial(sqlite_resources.create, resource=resource, idempotency=idempotency)
        )

    async def update_resource(
        self, resource: Resource, seen: Resource | None = None
    ) -> Resource | NotFound | Overtaken:
        """Replace the resource."""
        return await self._database.write(
            partial(sqlite_resources.update, resource=resource, seen=seen)
        )

    async def delete_resource(self, resource_id: str) -> bool:
        """Unregister the resource; False where it was not registered."""
        return await self._database.write(partial(sqlite_resources.delete, resource_id=resource_id))

    async def resources(self, limit: int, offset: int) -> tuple[list[Resource], int]:
        """Return one page of the registered resources by id, and how many there are."""
        return await self._database.read(partial(sqlite_resources.page, limit=limit, offset=offset))

    async def project(self, project_id: str) -> Project | None:
        """Return the project."""
        return await self._database.read(partial(sqlite_projects.by_id, project_id=project_id))

    async def project_by_slug(self, slug: str) -> Project | None:
        """Return the project that has the slug."""
        return await self._database.read(partial(sqlite_projects.by_slug, slug=slug))

    async def resource(self, resource_id: str) -> Resource | None:
        """Return the resource, if it is registered."""
        return await self._database.read(partial(sqlite_resources.by_id, resource_id=resource_id))

    async def registered(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return those of the resources that are registered, in no order."""
        return await self._database.read(partial(sqlite_resources.of, resource_ids=resource_ids))

    async def settings_version(self) -> int:
        """Return a number that every change to a project or a resource raises."""
        return await self._database.read(sqlite_settings.version)
