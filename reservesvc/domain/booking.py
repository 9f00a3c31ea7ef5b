"""A booking: the durable record a reservation becomes."""

from typing import Any

from msgspec import Struct

from reservesvc.domain import settings
from reservesvc.domain.entry import Entry
from reservesvc.domain.graphs import GRAPHS, UNKNOWN_GRAPH, Graph
from reservesvc.domain.slot import Usage

NOT_WORKED_OUT = 0
"""what `due_ms` is where a server that knew of no timers wrote the row"""
Inputs = dict[str, dict[str, Any]]
"""by action: what was sent along with it"""


class Booking(Struct, frozen=True, kw_only=True):
    """A booking as the booking store holds it.

    `entry_id` names its entry in the resource's index (`slots:{…}`): the ULID of the
    reservation it came from; of one that does not block at first, a ULID that nobody knows,
    for when it claims its slot.
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
    from_reservation: bool = False
    """a reservation of the caller's became it; else it was booked directly"""
    inputs: Inputs = {}
    due_ms: int | None = None
    """when the state's timer is due, on the booking store's clock, which sets it"""

    @property
    def life(self) -> Graph:
        """The graph it follows; `UNKNOWN_GRAPH` where a newer version wrote the row."""
        return GRAPHS.get(self.graph, UNKNOWN_GRAPH)

    @property
    def is_known(self) -> bool:
        """Whether this version knows its graph and state."""
        return self.state in self.life.states

    @property
    def open_actions(self) -> list[str]:
        """The actions that can be taken now."""
        return self.life.open_actions(self.state)

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
    def reserved_on(self) -> str:
        """The resource that its reservation was on; a rescheduled one may be with another."""
        return self.reservation_id.rpartition(".")[0]

    def is_as(self, read: "Booking") -> bool:
        """Tell whether it has the state and the entry that it was `read` with."""
        return (self.state, self.entry_id) == (read.state, read.entry_id)

    @property
    def blocks(self) -> bool:
        """Whether it keeps its slot from others."""
        return self.life.uses == "slot" and self._holds

    @property
    def seated(self) -> bool:
        """Whether it keeps its seats of a group from others."""
        return self.life.uses == "seat" and self._holds

    @property
    def _holds(self) -> bool:
        return self.life.holds(self.state, reserved=self.from_reservation)

    @property
    def due_state(self) -> str | None:
        """Where its state's timer leads, or None where it has none."""
        timer = self.life.state(self.state).timer
        return None if timer is None else self.life.next_state(self.state, timer.action)

    def is_due(self, now_ms: int) -> bool:
        """Tell whether its state's timer has run out by `now_ms`; one not worked out has not."""
        return self.due_ms is not None and NOT_WORKED_OUT < self.due_ms <= now_ms

    @property
    def waits_ms(self) -> int | None:
        """How long its timer runs, where that is counted from when it came into its state."""
        timer = self.life.state(self.state).timer
        if timer is None or timer.since != "entry":
            return None
        return settings.timeout_ms(self.settings) or timer.delay_ms

    def due_from(self, entered_ms: int) -> int | None:
        """Return when its timer is due, if it came into its state at `entered_ms`."""
        timer = self.life.state(self.state).timer
        if self.waits_ms is not None:
            return entered_ms + self.waits_ms
        if timer is None or not settings.completes(self.settings):
            return None
        return self.end_ms + timer.delay_ms


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


SEARCH_FIELDS = (
    *("resource.id", "project.id", "reservation_id", "graph", "state"),
    *("customer.email", "customer.name"),
)
ORDER_FIELDS = ("created_at", "updated_at", "start", "end")
