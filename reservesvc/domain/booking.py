"""A booking: the durable record a reservation becomes."""

from typing import Any

from msgspec import Struct

from reservesvc.domain.entry import Entry
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.slot import Usage


class Booking(Struct, frozen=True, kw_only=True):
    """A booking as the booking store holds it.

    `entry_id` names its entry in the resource's index (`slots:{…}`): the ULID of the
    reservation it came from.
    """

    id: str
    reservation_id: str
    entry_id: str
    resource_id: str
    project_id: str | None
    graph: str
    state: str
    start_ms: int
    end_ms: int
    quantity: int
    what: str
    where: str
    description: str
    customers: list[dict[str, Any]]
    meta: dict[str, Any]
    created_ms: int
    updated_ms: int
    participants: list[str] = []
    settings: dict[str, Any] = {}
    owner_booking_id: str | None = None
    """the booking of the group that this one has a seat of"""
    double: bool = False
    """the caller allowed double bookings: it stands outside of the count"""

    @property
    def entry(self) -> Entry:
        """Its place in the index."""
        return Entry(
            resource_id=self.resource_id,
            id=self.entry_id,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            quantity=self.quantity,
        )

    @property
    def usage(self) -> Usage:
        """What it uses of its resource's capacity while it blocks."""
        return Usage(self.start_ms, self.end_ms, self.quantity)

    @property
    def blocks(self) -> bool:
        """Whether it keeps its slot from others."""
        return GRAPHS[self.graph].blocks(self.state)


class BookingQuery(Struct, frozen=True, kw_only=True):
    """Which bookings to list, in which order, and which page of them."""

    search: tuple[tuple[str, str], ...] = ()
    """(field, value) pairs that must all match; fields: `SEARCH_FIELDS` and `meta.<key>`"""
    start_ms: int | None = None
    """only bookings that end after this"""
    end_ms: int | None = None
    """only bookings that start before this"""
    order_by: str = "created_at"
    descending: bool = True
    limit: int = 50
    offset: int = 0


SEARCH_FIELDS = ("resource.id", "project.id", "graph", "state", "customer.email", "customer.name")
ORDER_FIELDS = ("created_at", "updated_at", "start", "end")
