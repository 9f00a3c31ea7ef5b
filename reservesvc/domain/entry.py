"""An entry: a reservation's or booking's place in its resource's index."""

from msgspec import Struct


class Entry(Struct, frozen=True, kw_only=True):
    """What it takes to find an entry of `slots:{…}` and to name its successor."""

    resource_id: str
    id: str
    """a ULID; the reservation's own, also once it is a booking"""
    start_ms: int
    end_ms: int
    quantity: int
