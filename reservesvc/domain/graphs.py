"""Graphs: the lives a booking can lead, as a table. Adding a graph is adding rows.

The names of graphs, states and actions are Timekit's (its "booking graphs"). Three rules keep a
graph sound, and a test holds them: a booking that gave its slot or its seat back does not take
it again; what happens by itself is one of the state's actions; and no two actions lead to one
state, so that a booking's state tells which action was its last.
"""

from typing import Literal

from msgspec import Struct

Holds = Literal["always", "reserved", "never"]
"""Whether a booking in a state keeps its slot from others; `reserved`: if a reservation of the
caller's became it, and not if it was booked directly"""


class Timer(Struct, frozen=True, kw_only=True):
    """What happens to a booking by itself if it stays in its state for long enough."""

    action: str
    since: Literal["entry", "end"]
    """counted from when the booking came into the state, or from the end of its slot"""
    delay_ms: int
    """how long after that, where the booking's settings do not say"""


class State(Struct, frozen=True, kw_only=True):
    """One state of a graph; without actions it is final."""

    actions: dict[str, str] = {}
    """which action leads to which state"""
    holds: Holds = "always"
    timer: Timer | None = None
    takes_customers: bool = False
    """seats of the booking can be taken"""
    moves_customers: tuple[str, ...] = ()
    """what happens, on entry, to bookings that have a seat of it: the first that is open there"""


UNKNOWN_STATE = State()
"""stands for a state of a newer version: it may hold its slot, so it does"""


class Graph(Struct, frozen=True, kw_only=True):
    """One kind of life: its states, what it takes to begin it, and what it uses."""

    first_state: str
    states: dict[str, State]
    uses: Literal["slot", "seat"] = "slot"
    """units of its resource's capacity, or seats of the booking that owns the group"""
    needs_customer: bool = True

    @property
    def is_group(self) -> bool:
        """Whether its bookings have seats that others take."""
        return any(state.takes_customers for state in self.states.values())

    def state(self, name: str) -> State:
        """Return the state; one that this version does not know has no actions, and holds."""
        return self.states.get(name, UNKNOWN_STATE)

    def open_actions(self, state: str) -> list[str]:
        """Return the actions that can be taken in `state`."""
        return list(self.state(state).actions)

    def next_state(self, state: str, action: str) -> str | None:
        """Return where `action` leads from `state`, or None if it is not open there."""
        return self.state(state).actions.get(action)

    def leads_to(self, action: str, state: str) -> bool:
        """Tell whether a booking that is in `state` came there by `action`."""
        return any(each.actions.get(action) == state for each in self.states.values())

    def holds(self, state: str, *, reserved: bool) -> bool:
        """Tell whether a booking in `state` keeps its slot, or its seat, from others.

        Args:
            state: one of the graph's.
            reserved: whether a reservation of the caller's became the booking.

        """
        holds = self.state(state).holds
        return holds == "always" or (holds == "reserved" and reserved)


_MINUTE_MS = 60_000
_TIMEOUT = Timer(action="timeout", since="entry", delay_ms=5 * _MINUTE_MS)
_COMPLETE = Timer(action="complete", since="end", delay_ms=60 * _MINUTE_MS)
_FINAL = State()
_FREED = State(holds="never")

_CONFIRMED = {
    "confirmed": State(
        actions={
            "cancel": "cancelled",
            "cancel_by_customer": "cancelled_by_customer",
            "complete": "completed",
            "reschedule_by_customer": "rescheduled_by_customer",
        },
        timer=_COMPLETE,
    ),
    "cancelled": _FREED,
    "cancelled_by_customer": _FREED,
    "rescheduled_by_customer": _FREED,
    "completed": _FINAL,
}
_UNPAID = {
    "tentative": State(actions={"pay": "paid", "timeout": "unpaid"}, timer=_TIMEOUT),
    "unpaid": _FREED,
}

GRAPHS = {
    "instant": Graph(first_state="confirmed", states=_CONFIRMED),
    "confirm_decline": Graph(
        first_state="tentative",
        states={
            "tentative": State(
                actions={"confirm": "confirmed", "decline": "declined"}, holds="reserved"
            ),
            "declined": _FREED,
            **_CONFIRMED,
        },
    ),
    "instant_payment": Graph(
        first_state="tentative",
        states={
            **_UNPAID,
            "paid": State(
                actions={"cancel": "cancelled", "complete": "completed"}, timer=_COMPLETE
            ),
            "cancelled": _FREED,
            "completed": _FINAL,
        },
    ),
    "group_owner": Graph(
        first_state="tentative",
        needs_customer=False,
        states={
            "tentative": State(
                actions={"cancel": "cancelled", "complete": "completed"},
                timer=_COMPLETE,
                takes_customers=True,
            ),
            # Who has not paid yet cannot be cancelled, and has nothing left to pay for.
            "cancelled": State(holds="never", moves_customers=("cancel_by_owner", "timeout")),
            "completed": _FINAL,
        },
    ),
    "group_customer": Graph(
        first_state="confirmed",
        uses="seat",
        states={
            "confirmed": State(
                actions={
                    "cancel_by_customer": "cancelled_by_customer",
                    "cancel_by_owner": "cancelled_by_owner",
                    "complete": "completed",
                },
                timer=_COMPLETE,
            ),
            "cancelled_by_customer": _FREED,
            "cancelled_by_owner": _FREED,
            "completed": _FINAL,
        },
    ),
    "group_customer_payment": Graph(
        first_state="tentative",
        uses="seat",
        states={
            **_UNPAID,
            "paid": State(
                actions={
                    "cancel_by_owner": "cancelled_by_owner",
                    "cancel_by_customer": "cancelled_by_customer",
                    "complete": "completed",
                },
                timer=_COMPLETE,
            ),
            "cancelled_by_customer": _FREED,
            "cancelled_by_owner": _FREED,
            "completed": _FINAL,
        },
    ),
}
UNKNOWN_GRAPH = Graph(first_state="", states={})
"""stands for a graph of a newer version: bookings that follow it are kept and shown, no more"""
DEFAULT_GRAPH = "instant"
