"""Idempotency-Keys that are old enough to be forgotten, each step a function of a connection.

A key is as old as what it made: a booking, which carries it, or a project or resource. One that
changed a booking (an action, a reschedule) is as old as the last change of that.
"""

import sqlite3
from typing import NamedTuple

from reservesvc.bookings.rows import CHANGED
from reservesvc.bookings.sqlite_clock import NOW_MS

_OF_BOOKINGS = f"""
    SELECT id FROM bookings WHERE key_digest > '' AND created_ms < {NOW_MS} - ? LIMIT ?
"""  # noqa: S608 - our own expression
_OF_SETTINGS = f"""
    SELECT digest FROM idempotency_keys AS key
    LEFT JOIN projects ON kind = 'project' AND projects.id = key.id
    LEFT JOIN resources ON kind = 'resource' AND resources.id = key.id
    LEFT JOIN bookings ON kind = '{CHANGED}' AND bookings.id = key.id
    WHERE coalesce(projects.created_ms, resources.created_ms, bookings.updated_ms, 0)
        < {NOW_MS} - ? LIMIT ?
"""  # noqa: S608 - our own expression
_FORGET_BOOKINGS = "UPDATE bookings SET key_digest = NULL, key_fingerprint = NULL WHERE id = ?"
_FORGET_SETTINGS = "DELETE FROM idempotency_keys WHERE digest = ?"


class Expired(NamedTuple):
    """Which keys to forget: by the booking that has them, or by themselves."""

    bookings: list[tuple[str]]
    digests: list[tuple[str]]

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.bookings) + len(self.digests)


def expired(connection: sqlite3.Connection, age_ms: int, limit: int) -> Expired:
    """Return keys older than `age_ms`, at most `limit` of bookings and as many of settings."""
    bounds = (age_ms, limit)
    return Expired(
        bookings=connection.execute(_OF_BOOKINGS, bounds).fetchall(),
        digests=connection.execute(_OF_SETTINGS, bounds).fetchall(),
    )


def forget(connection: sqlite3.Connection, expired: Expired) -> None:
    """Forget the keys; what they made stays."""
    connection.executemany(_FORGET_BOOKINGS, expired.bookings)
    connection.executemany(_FORGET_SETTINGS, expired.digests)
