"""Graphs: the lives a booking can lead, as a table. Adding a graph is adding rows.

The names of graphs, states and actions are Timekit's (its "booking graphs").
"""

from msgspec import Struct


class Graph(Struct, frozen=True):
    """One kind of life: where it begins, which action leads where, when it holds its slot."""

    first_state: str
    actions: dict[str, dict[str, str]]
    """state → action → next state; a state without a row is final"""
    free_states: frozenset[str]
    """the states in which the slot is open to others"""

    def open_actions(self, state: str) -> list[str]:
        """Return the actions that can be taken in `state`."""
        return list(self.actions.get(state, ()))

    def next_state(self, state: str, action: str) -> str | None:
        """Return where `action` leads from `state`, or None if it is not open there."""
        return self.actions.get(state, {}).get(action)

    def blocks(self, state: str) -> bool:
        """Tell whether a booking in `state` keeps its slot from others."""
        return state not in self.free_states


GRAPHS = {
    "instant": Graph(
        first_state="confirmed",
        actions={
            "confirmed": {
                "cancel": "cancelled",
                "cancel_by_customer": "cancelled_by_customer",
                "complete": "completed",
            },
        },
        free_states=frozenset({"cancelled", "cancelled_by_customer"}),
    ),
}
DEFAULT_GRAPH = "instant"
