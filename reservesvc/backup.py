"""The command `reservesvc backup`: a copy of the booking store beside the running service."""

from collections.abc import Callable
from pathlib import Path

from reservesvc.bookings import sqlite_backup
from reservesvc.config import StorePlace
from reservesvc.errors import ConfigError


def backup(place: StorePlace, target: Path, tell: Callable[[str], None]) -> None:
    """Copy the SQLite booking store to the new file `target`.

    Args:
        place: where the booking store is.
        target: the file to make.
        tell: told, line by line, how far it is and what was made.

    Raises:
        ConfigError: the booking store is a PostgreSQL, or `target` exists.
        UnavailableError: the booking store cannot be read, or `target` cannot be written.

    """
    if place.postgres_url is not None:
        message = f"the booking store is {place}: back it up with pg_dump"
        raise ConfigError(message)
    bookings = sqlite_backup.backup(place.path, target, tell)
    tell(f"{target} has {bookings:,} bookings, {target.stat().st_size:,} bytes")
