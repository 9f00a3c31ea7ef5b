"""The table of graphs is consistent."""

from itertools import product

import pytest

from reservesvc.domain.graphs import DEFAULT_GRAPH, GRAPHS, Graph

EVERY_GRAPH = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


@EVERY_GRAPH
def test_every_state_is_reachable_and_every_life_ends(graph: Graph) -> None:
    """From the first state all others can be reached, and some of them are final."""
    reached, frontier = {graph.first_state}, [graph.first_state]
    while frontier:
        for after in graph.states[frontier.pop()].actions.values():
            if after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached == set(graph.states)
    assert any(not graph.open_actions(state) for state in reached)


@EVERY_GRAPH
def test_what_happens_by_itself_can_happen(graph: Graph) -> None:
    """A timer's action is open in its state, and a final state has none."""
    for name, state in graph.states.items():
        if state.timer is not None:
            assert graph.next_state(name, state.timer.action) is not None


@EVERY_GRAPH
def test_a_state_tells_which_action_led_to_it(graph: Graph) -> None:
    """No two actions lead to one state, and none to the first."""
    ways = {way for state in graph.states.values() for way in state.actions.items()}
    states = [after for _, after in ways]
    assert len(states) == len(set(states))
    assert set(states) == set(graph.states) - {graph.first_state}
    assert all(graph.leads_to(action, after) for action, after in ways)
    assert not any(graph.leads_to(action, graph.first_state) for action, _ in ways)


@EVERY_GRAPH
@pytest.mark.parametrize("reserved", [True, False])
def test_what_was_given_back_is_not_taken_again(graph: Graph, *, reserved: bool) -> None:
    """A slot is claimed once in a life, and a seat only as it begins."""
    for before, after in _moves(graph):
        gives_back = graph.holds(before, reserved=reserved) and not graph.holds(
            after, reserved=reserved
        )
        takes = not graph.holds(before, reserved=reserved) and graph.holds(after, reserved=reserved)
        assert not gives_back or not _ever_holds(graph, after, reserved=reserved)
        assert not takes or graph.uses == "slot"


@EVERY_GRAPH
def test_customers_can_follow_their_owner(graph: Graph) -> None:
    """Wherever a group ends early, every seat that is taken and not over has a way on."""
    states = graph.states.values()
    customers = [each for each in GRAPHS.values() if each.uses == "seat"]
    for state, customer in product((s for s in states if s.moves_customers), customers):
        for seat in customer.states.values():
            assert not seat.actions or any(way in seat.actions for way in state.moves_customers)


def test_instant_blocks_until_cancelled() -> None:
    """Confirmed and completed bookings keep their slot, cancelled ones do not."""
    graph = GRAPHS[DEFAULT_GRAPH]
    assert [graph.holds(state, reserved=False) for state in ("confirmed", "completed")] == [
        True,
        True,
    ]
    assert not graph.holds("cancelled", reserved=True)
    assert not graph.holds("cancelled_by_customer", reserved=True)
    assert graph.next_state("cancelled", "cancel") is None


def test_a_tentative_booking_blocks_if_it_was_reserved() -> None:
    """confirm_decline holds what a reservation held, and nothing for who books directly."""
    graph = GRAPHS["confirm_decline"]
    assert graph.holds("tentative", reserved=True)
    assert not graph.holds("tentative", reserved=False)
    assert graph.holds("confirmed", reserved=False)


def _moves(graph: Graph) -> list[tuple[str, str]]:
    return [
        (name, after) for name, state in graph.states.items() for after in state.actions.values()
    ]


def _ever_holds(graph: Graph, state: str, *, reserved: bool) -> bool:
    """Tell whether a booking in `state` holds something now or later."""
    return graph.holds(state, reserved=reserved) or any(
        _ever_holds(graph, after, reserved=reserved)
        for after in graph.states[state].actions.values()
    )
