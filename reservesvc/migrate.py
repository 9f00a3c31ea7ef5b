"""Migrating the booking store, whichever engine it is."""

from collections.abc import Callable

from reservesvc.bookings import postgres_schema, sqlite_schema
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.config import StorePlace


async def migrate(place: StorePlace, tell: Callable[[str], None]) -> None:
    """Bring the booking store's schema to the version that this code works with.

    Args:
        place: where the store is.
        tell: told, line by line, what was done.

    Raises:
        ConfigError: the schema is a newer version's, or another program's.
        UnavailableError: the store cannot be reached or written.

    """
    if place.postgres_url is not None:
        await postgres_schema.migrate(place.postgres_url, tell)
        version = postgres_schema.VERSION
    else:
        # Opening creates the file and brings it up to date.
        await (await SqliteBookingStore.open(place.path)).close()
        version = sqlite_schema.VERSION
    tell(f"{place} has schema version {version}")
