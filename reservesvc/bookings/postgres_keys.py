"""Idempotency-Keys that are old enough to be forgotten, each step a function of a session.

A key is as old as what it made: a booking, which carries it, or a project or resource. One that
changed a booking (an action, a reschedule) is as old as the last change of that.
"""

from typing import NamedTuple

from reservesvc.bookings.postgres_rows import NOW_MS
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import CHANGED

_OF_BOOKINGS = f"""
    SELECT id FROM bookings WHERE key_digest IS NOT NULL AND created_ms < {NOW_MS} - $1 LIMIT $2
"""  # noqa: S608 - our own expression
_OF_SETTINGS = f"""
    SELECT digest FROM idempotency_keys AS key
    LEFT JOIN projects ON kind = 'project' AND projects.id = key.id
    LEFT JOIN resources ON kind = 'resource' AND resources.id = key.id
    LEFT JOIN bookings ON kind = '{CHANGED}' AND bookings.id = key.id
    WHERE coalesce(projects.created_ms, resources.created_ms, bookings.updated_ms, 0)
        < {NOW_MS} - $1 LIMIT $2
"""  # noqa: S608 - our own expression
# Two servers that do this at once must not wait for each other's rows, and need not.
_FORGET_BOOKINGS = """
    UPDATE bookings SET key_digest = NULL, key_fingerprint = NULL
    WHERE id IN (SELECT id FROM bookings WHERE id = ANY($1) FOR UPDATE SKIP LOCKED)
"""
_FORGET_SETTINGS = """
    DELETE FROM idempotency_keys WHERE digest IN (
        SELECT digest FROM idempotency_keys WHERE digest = ANY($1) FOR UPDATE SKIP LOCKED
    )
"""


class Expired(NamedTuple):
    """Which keys to forget: by the booking that has them, or by themselves."""

    bookings: list[str]
    digests: list[str]

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.bookings) + len(self.digests)


async def expired(session: Session, age_ms: int, limit: int) -> Expired:
    """Return keys older than `age_ms`, at most `limit` of bookings and as many of settings."""
    bookings = await session.fetch(_OF_BOOKINGS, age_ms, limit)
    digests = await session.fetch(_OF_SETTINGS, age_ms, limit)
    return Expired([row[0] for row in bookings], [row[0] for row in digests])


async def forget(session: Session, expired: Expired) -> None:
    """Forget the keys; what they made stays."""
    await session.execute(_FORGET_BOOKINGS, expired.bookings)
    await session.execute(_FORGET_SETTINGS, expired.digests)
