"""The checks themselves: a sound history passes, and each way to break it is found."""

from collections.abc import Callable

import pytest

from tests.faults.checks import CHECKS, violations
from tests.faults.history import History, Judgement, Kind, Op, Slot, Stored, Terms, Window
from tests.faults.trial import slot_of

ONE, OTHER = slot_of("room-1", 10), slot_of("room-1", 11)


def op(number: int, kind: Kind, sent_s: float, status: int, **fields: object) -> Op:
    """Return a request that was answered after a hundredth of a second."""
    values = {"slot": ONE, "server": 0, "done_s": sent_s + 0.01, "says_when": status == 503}
    return Op(number=number, kind=kind, sent_s=sent_s, status=status, **(values | fields))  # type: ignore[arg-type]  # a test may say anything


def taken(number: int, sent_s: float, **fields: object) -> Op:
    """Return a claim that was refused."""
    return op(number, "reserve", sent_s, 409, code="slot_unavailable", **fields)


def held(number: int, sent_s: float, name: str, seconds: int = 3, **fields: object) -> Op:
    """Return a claim that was granted."""
    values = {"reservation_id": name, "duration_s": seconds, "remaining_ms": seconds * 1000}
    return op(number, "reserve", sent_s, 201, **(values | fields))


def booked(
    number: int, sent_s: float, name: str, booking: str, status: int = 201, **fields: object
) -> Op:
    """Return a hand-off that was granted."""
    values = {"subject": name, "reservation_id": name, "booking_id": booking}
    return op(number, "hand_off", sent_s, status, **(values | fields))


def row(booking: str, name: str, slot: Slot, *, blocks: bool, what: str = "") -> Stored:
    """Return a row of the booking store."""
    return Stored(id=booking, reservation_id=name, slot=slot, quantity=1, blocks=blocks, what=what)


def sound() -> History:
    """Return a history of two slots in which everything is as it should be."""
    direct = {"key": "k2", "what": "k2", "reservation_id": "r2", "booking_id": "b2"}
    return History(
        terms=Terms(deadline_s=1, grace_s=1.5),
        ops=[
            held(1, 0.0, "r1"),
            taken(2, 0.5),
            op(3, "extend", 1.0, 200, subject="r1", duration_s=3),
            booked(4, 2.0, "r1", "b1"),
            booked(5, 2.5, "r1", "b1", status=200),
            taken(6, 3.0),
            op(7, "cancel", 4.0, 200, subject="b1", booking_id="b1"),
            op(8, "book", 5.0, 201, **direct),
            op(9, "book", 5.5, 201, **direct),
            taken(10, 6.0),
            held(11, 6.0, "r3", 1, slot=OTHER, key="k3"),
            held(12, 6.1, "r3", 1, slot=OTHER, key="k3", remaining_ms=900),
            held(13, 7.5, "r4", slot=OTHER),
            op(14, "release", 8.0, 204, subject="r4", slot=OTHER),
            held(15, 8.1, "r5", 1, slot=OTHER),
            op(16, "read", 9.2, 410, subject="r5", slot=OTHER, code="reservation_ended"),
            op(17, "reserve", 10.5, 503, slot=OTHER, code="unavailable"),
            op(18, "reserve", 10.6, 0, slot=OTHER, key="k6", duration_s=1, done_s=11.5),
            held(19, 15.0, "r7", 1, slot=OTHER),
            booked(20, 15.5, "r7", "b7", slot=OTHER, status=503, booking_id=""),
            booked(21, 15.7, "r7", "b7", slot=OTHER),
        ],
        windows=[
            Window(name="fault", began_s=10, ended_s=11, healed_s=12),
            Window(name="fault", began_s=15.4, ended_s=15.5, healed_s=15.6),
        ],
        stored=[
            row("b1", "r1", ONE, blocks=False),
            row("b2", "r2", ONE, blocks=True, what="k2"),
            row("b7", "r7", OTHER, blocks=True),
        ],
        judgements=[
            Judgement(slot=slot, server=server, granted=False)
            for slot in (ONE, OTHER)
            for server in (0, 1)
        ],
    )


def numbered(history: History, number: int) -> Op:
    """Return the request with this number."""
    (found,) = [one for one in history.ops if one.number == number]
    return found


def add(*ops: Op) -> Callable[[History], object]:
    """Return what adds requests to a history."""
    return lambda history: history.ops.extend(ops)


def change(number: int, **fields: object) -> Callable[[History], object]:
    """Return what changes a request of a history."""

    def apply(history: History) -> None:
        for name, value in fields.items():
            setattr(numbered(history, number), name, value)

    return apply


def restore(*rows: Stored) -> Callable[[History], object]:
    """Return what replaces rows of the store by their ids, and adds new ones."""

    def apply(history: History) -> None:
        new = {one.id: one for one in [*history.stored, *rows]}
        history.stored = list(new.values())

    return apply


def lose(booking: str) -> Callable[[History], object]:
    """Return what removes a row of the store."""

    def apply(history: History) -> None:
        history.stored = [one for one in history.stored if one.id != booking]

    return apply


def judge(server: int) -> Callable[[History], object]:
    """Return what lets a server find the first slot free at the end."""

    def apply(history: History) -> None:
        history.judgements[server] = Judgement(slot=ONE, server=server, granted=True)

    return apply


def heal_late(history: History) -> None:
    """Let the service be unwell for too long."""
    history.windows[0].healed_s = history.windows[0].ended_s + 5.1


BROKEN: dict[str, tuple[str, Callable[[History], object]]] = {
    "two reservations of one slot": ("no_two_certain_grants", add(held(30, 1.5, "r9"))),
    "a reservation of a booked slot": ("no_two_certain_grants", add(held(30, 3.5, "r9"))),
    "a reservation of a part of it": (
        "no_two_certain_grants",
        add(held(30, 1.5, "r9", slot=slot_of("room-1", 9.5))),
    ),
    "an acknowledged booking that is not there": ("no_booking_lost", lose("b7")),
    "a booking with another slot": (
        "no_booking_lost",
        restore(row("b7", "r7", slot_of("room-2"), blocks=True)),
    ),
    "a booking that nobody cancelled": (
        "no_booking_lost",
        restore(row("b7", "r7", OTHER, blocks=False)),
    ),
    "a cancelled booking that blocks": (
        "no_booking_lost",
        restore(row("b1", "r1", slot_of("room-1", 8), blocks=True)),
    ),
    "two bookings of one instant": (
        "never_two",
        restore(row("b9", "r9", slot_of("room-1", 9.5), blocks=True)),
    ),
    "a hand-off after the end": (
        "ends_are_exact",
        add(
            held(30, 20.0, "r9", 1, slot=slot_of("room-2")),
            booked(31, 21.1, "r9", "b9", slot=slot_of("room-2")),
        ),
    ),
    "an extension after the end": (
        "ends_are_exact",
        add(op(30, "extend", 9.2, 200, subject="r5", slot=OTHER, duration_s=3)),
    ),
    "a halved life": (
        "no_end_comes_early",
        add(op(30, "read", 8.7, 410, subject="r5", slot=OTHER, code="reservation_ended")),
    ),
    "a hand-off refused in time": (
        "no_end_comes_early",
        change(21, status=410, code="reservation_ended", booking_id="", reservation_id=""),
    ),
    "a slot that is stuck": ("refusals_have_a_cause", add(taken(30, 9.5, slot=OTHER))),
    "a slot that stays with the cancelled": ("refusals_have_a_cause", add(taken(30, 4.5))),
    "one reservation, two bookings": ("once", change(5, booking_id="b8")),
    "booked for the first time twice": ("once", change(5, status=201)),
    "one reservation of two slots": (
        "once",
        add(held(30, 0.5, "r1", slot=slot_of("room-2"))),
    ),
    "one key, two bookings": ("once", change(9, booking_id="b8")),
    "one key, two reservations": ("once", change(12, reservation_id="r8")),
    "a forgotten key": ("once", change(12, status=409, code="slot_unavailable")),
    "a direct booking stored twice": (
        "once",
        restore(row("b8", "r8", slot_of("room-2"), blocks=True, what="k2")),
    ),
    "a failure that booked all the same": (
        "bookings_have_a_cause",
        change(21, status=503, code="unavailable", booking_id="", reservation_id=""),
    ),
    "a booking out of nowhere": (
        "bookings_have_a_cause",
        restore(row("b9", "r9", slot_of("room-2"), blocks=True)),
    ),
    "a booked slot that a server gives away": ("slots_are_judged_rightly", judge(0)),
    "… and the other server": ("slots_are_judged_rightly", judge(1)),
    "a failure with no fault about": ("errors_are_allowed", add(op(30, "reserve", 9.0, 503))),
    "no answer with no fault about": ("errors_are_allowed", add(op(30, "reserve", 9.0, 0))),
    "an internal error": ("errors_are_allowed", add(op(30, "reserve", 10.5, 500))),
    "a refusal of another kind": (
        "errors_are_allowed",
        add(op(30, "cancel", 3.0, 404, subject="b1", code="not_found")),
    ),
    "a failure that does not say when": ("errors_are_allowed", change(17, says_when=False)),
    "a late answer": ("deadlines_are_kept", change(17, done_s=13.1)),
    "a long illness": ("is_available_again", heal_late),
}
"""each way to break the history, and which check finds it"""


def test_a_sound_history_has_no_violations() -> None:
    """What is allowed to happen is not called a violation."""
    assert violations(sound()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_violation_is_found(name: str) -> None:
    """The check that is there for it finds it; others may as well."""
    check, damage = BROKEN[name]
    history = sound()
    damage(history)
    assert [found for found in violations(history) if found.startswith(f"{check}: ")]


def test_every_check_has_a_violation_it_finds() -> None:
    """No check is there that could not be seen to work."""
    assert {check.__name__ for check in CHECKS} == {check for check, _ in BROKEN.values()}


def test_capacity_is_counted() -> None:
    """Two units may be held where there are two, and no third."""
    history = History(
        terms=Terms(deadline_s=1, grace_s=1.5, capacities={"room-1": 2}),
        ops=[held(1, 0.0, "r1"), held(2, 0.1, "r2"), taken(3, 0.2)],
    )
    assert violations(history) == []
    history.ops[2] = held(3, 0.2, "r3")
    assert len(violations(history)) == 1


def test_lost_data_ends_what_was_reserved() -> None:
    """After a FLUSHALL a slot may be granted again, a booked one never."""
    history = History(
        terms=Terms(deadline_s=1, grace_s=1.5),
        ops=[held(1, 0.0, "r1"), held(2, 0.5, "r2")],
        windows=[Window(name="loss", began_s=0.2, ended_s=0.2, healed_s=0.3, loses_data=True)],
    )
    assert violations(history) == []
    history.ops.insert(1, booked(3, 0.1, "r1", "b1"))
    history.stored = [row("b1", "r1", ONE, blocks=True)]
    assert [found.partition(":")[0] for found in violations(history)] == ["no_two_certain_grants"]


def test_lost_data_takes_keys_along() -> None:
    """A reservation is made again where both it and its key were lost; a booking never is."""
    loss = Window(name="loss", began_s=0.2, ended_s=0.21, healed_s=0.3, loses_data=True)
    history = History(
        terms=Terms(deadline_s=1, grace_s=1.5),
        ops=[held(1, 0.0, "r1", key="k1"), held(2, 0.5, "r2", key="k1")],
        windows=[loss],
    )
    assert violations(history) == []
    history.windows[0].began_s, history.windows[0].ended_s = 0.6, 0.7
    assert "once" in {found.partition(":")[0] for found in violations(history)}
    history.windows[0].began_s, history.windows[0].ended_s = 0.2, 0.21
    history.ops = [
        op(
            number,
            "book",
            0.5 * number,
            201,
            key="k1",
            reservation_id=f"r{number}",
            booking_id=name,
        )
        for number, name in enumerate(("b1", "b2"))
    ]
    assert "once" in {found.partition(":")[0] for found in violations(history)}


def test_a_cart_may_hold_what_it_gives_back() -> None:
    """Until a refused cart is answered, it may have held its other slots, and no longer."""
    cart = {"cart": True, "duration_s": 3, "done_s": 1.0}
    history = History(
        terms=Terms(deadline_s=2, grace_s=3),
        ops=[
            held(1, 0.0, "r1"),
            taken(2, 0.1, **cart),
            op(3, "reserve", 0.1, 409, code="cart_refused", slot=OTHER, **cart),
            taken(4, 0.5, slot=OTHER),
        ],
    )
    assert violations(history) == []
    history.ops.append(taken(5, 1.5, slot=OTHER))
    assert [found.partition(":")[0] for found in violations(history)] == ["refusals_have_a_cause"]


def test_what_is_uncertain_is_not_judged() -> None:
    """A reservation nobody heard of may be in the way, and may be found by its key later."""
    unheard = op(1, "reserve", 0.0, 0, key="k1", duration_s=1, given_up=True)
    history = History(
        terms=Terms(deadline_s=1, grace_s=1.5),
        ops=[unheard, taken(2, 1.0), held(3, 1.5, "r1", key="k1"), taken(4, 2.0)],
    )
    assert violations(history) == []
