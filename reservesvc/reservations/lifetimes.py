"""How long things stay in Redis."""

from msgspec import Struct

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Times(Struct, frozen=True, kw_only=True):
    """How long things stay in Redis, in milliseconds."""

    life_ms: int = DAY_MS
    """longest life of a reservation, extensions included"""
    grace_ms: int = 10_000
    """how long a hand-off that started in time may take to finish"""
    past_ms: int = 366 * DAY_MS
    """how long ago a slot may have ended"""
    ahead_ms: int = 3_660 * DAY_MS
    """how far ahead a slot may end"""
    ended_ms: int = HOUR_MS
    """how long a tombstone stays"""
    idempotency_ms: int = DAY_MS
    ticket_ms: int = 5_000
    """how long a resync may take"""
    patience_ms: int = 250
    """how long another server's resync is left alone, in case it is still running"""

    @property
    def index_ttl_ms(self) -> int:
        """How long an idle index stays: longer than any reservation in it."""
        return max(7 * DAY_MS, 2 * self.life_ms)
