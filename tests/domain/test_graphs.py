"""The table of graphs is consistent."""

import pytest

from reservesvc.domain.graphs import DEFAULT_GRAPH, GRAPHS, Graph


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_state_is_reachable_and_every_life_ends(graph: Graph) -> None:
    """From the first state all others can be reached, and some of them are final."""
    reached, frontier = {graph.first_state}, [graph.first_state]
    while frontier:
        state = frontier.pop()
        for action in graph.open_actions(state):
            after = graph.next_state(state, action)
            assert after is not None
            if after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached >= set(graph.actions) | graph.free_states
    assert any(not graph.open_actions(state) for state in reached)


def test_instant_blocks_until_cancelled() -> None:
    """Confirmed and completed bookings keep their slot, cancelled ones do not."""
    graph = GRAPHS[DEFAULT_GRAPH]
    assert [graph.blocks(state) for state in ("confirmed", "completed")] == [True, True]
    assert not graph.blocks("cancelled")
    assert not graph.blocks("cancelled_by_customer")
    assert graph.next_state("cancelled", "cancel") is None
