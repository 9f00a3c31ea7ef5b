"""What must hold of a history: one check a promise, each yields a sentence a violation.

None of them imports the service: a checker that shared code with it could share its errors.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import inf

from tests.faults.history import History, Op, Slot, Stored
from tests.faults.lives import Hold, Lives

SLACK_S = 0.005
"""a Redis clock and ours may differ by so much over the life of a reservation"""
AVAILABLE_S = 5.0
"""how long after a fault's end the service may still be unwell"""
DEADLINE_SLACK_S = 1.5
"""what the way to a busy machine's server and back may add to its deadline"""

LONG_S = 60.0
"""what may be held for longer than this is looked at each time"""

ALLOWED = {
    "reserve": {"slot_unavailable", "cart_refused", "cart_incomplete", "reservation_ended"},
    "book": {"slot_unavailable"},
    "extend": {"reservation_ended", "handoff_in_progress"},
    "release": {"reservation_ended", "handoff_in_progress"},
    "read": {"reservation_ended"},
    "hand_off": {"reservation_ended", "slot_unavailable"},
    "cancel": set(),
}
"""how a request may be refused"""

Check = Callable[[History, Lives], Iterator[str]]


def no_two_certain_grants(history: History, lives: Lives) -> Iterator[str]:
    """No instant of a slot is certainly held by more than its capacity at any time."""
    for mine in _by_resource(lives.certain()).values():
        mine.sort(key=lambda hold: hold.from_s)
        now: list[Hold] = []
        for hold in mine:
            now = [one for one in now if one.until_s > hold.from_s + SLACK_S]
            others = [one for one in now if one.slot.overlaps(hold.slot)]
            now.append(hold)
            capacity = history.terms.capacity(hold.slot.resource_id)
            if _most([*others, hold]) > capacity and hold.until_s > hold.from_s + SLACK_S:
                blockers = ", ".join(one.why for one in others)
                yield f"{hold.why} while it was {blockers}: {hold.slot}"


def no_booking_lost(history: History, lives: Lives) -> Iterator[str]:
    """A booking that was acknowledged is stored as it was acknowledged."""
    for op in _booked(history):
        row = lives.rows.get(op.booking_id)
        if row is None:
            yield f"acknowledged and lost: {op}"
        elif (row.slot, row.reservation_id) != (op.slot, op.reservation_id):
            yield f"stored as {row}, acknowledged otherwise: {op}"
        elif not row.blocks and not any(
            cancel.may_have_worked for cancel in lives.about(op.booking_id, "cancel")
        ):
            yield f"stored as cancelled by nobody: {op}"
    for op in history.ops:
        if op.kind == "cancel" and op.granted and lives.rows[op.subject].blocks:
            yield f"cancelled and booked all the same: {op}"


def never_two(history: History, lives: Lives) -> Iterator[str]:
    """The blocking bookings of a resource never exceed its capacity."""
    blocking: dict[str, list[Stored]] = defaultdict(list)
    for row in lives.rows.values():
        if row.blocks:
            blocking[row.slot.resource_id].append(row)
    for resource_id, rows in blocking.items():
        for row in rows:
            begun = [one for one in rows if one.slot.start_ms <= row.slot.start_ms]
            held = sum(one.quantity for one in begun if one.slot.end_ms > row.slot.start_ms)
            if held > history.terms.capacity(resource_id):
                yield f"{held} units are booked when {row} begins"


def ends_are_exact(history: History, lives: Lives) -> Iterator[str]:
    """Nothing is done with a reservation after its end."""
    for op in history.ops:
        if op.kind not in ("extend", "read", "hand_off") or not op.granted:
            continue
        if op.subject not in lives.grants or (op.kind == "hand_off" and op.status != 201):
            continue
        tried = lives.about(op.subject, "hand_off")
        kept = [lives.latest_s(one) + history.terms.grace_s for one in tried if one is not op]
        end_s = max([lives.latest_end_s(op.subject, op.sent_s), *kept])
        if op.sent_s > end_s + SLACK_S:
            yield f"{1000 * (op.sent_s - end_s):.0f} ms after the end: {op}"


def no_end_comes_early(history: History, lives: Lives) -> Iterator[str]:
    """A reservation that is alive for certain is nowhere said to have ended."""
    for op in history.ops:
        if op.kind not in ("extend", "read", "hand_off") or op.subject not in lives.grants:
            continue
        if op.code not in ("reservation_ended", "slot_unavailable"):
            continue
        first_s = min(grant.done_s for grant in lives.grants[op.subject])
        until_s = lives.certain_until_s(op.subject, for_handoff=op.kind == "hand_off")
        if first_s <= op.sent_s and op.done_s < until_s - SLACK_S:
            yield f"{1000 * (until_s - op.done_s):.0f} ms before the end: {op}"


def refusals_have_a_cause(history: History, lives: Lives) -> Iterator[str]:
    """A slot is refused only while something may have held it."""
    held = _by_resource(lives.possible())
    possible = {name: _Buckets(holds) for name, holds in held.items()}
    nothing = _Buckets([])
    for op in history.ops:
        if op.kind not in ("reserve", "book") or op.code != "slot_unavailable":
            continue
        others = [
            hold
            for hold in possible.get(op.slot.resource_id, nothing).during(op.sent_s, op.done_s)
            if hold.why != f"#{op.number}" and hold.slot.overlaps(op.slot)
        ]
        if _most(others) < history.terms.capacity(op.slot.resource_id):
            yield f"refused for nothing: {op}"


def once(history: History, lives: Lives) -> Iterator[str]:
    """A reservation is of one slot, becomes one booking, and a key has one result."""
    yield from _of_several_slots(lives)
    by_reservation: dict[str, list[Op]] = defaultdict(list)
    for op in _booked(history):
        by_reservation[op.reservation_id].append(op)
    for ops in by_reservation.values():
        if len({op.booking_id for op in ops}) > 1:
            yield f"one reservation, several bookings: {'; '.join(map(str, ops))}"
        if sum(op.kind == "hand_off" and op.status == 201 for op in ops) > 1:
            yield f"booked for the first time twice: {'; '.join(map(str, ops))}"
    for ops in _by_key(history).values():
        results = {op.booking_id or op.reservation_id for op in ops if op.granted}
        # A reservation and its key are both Redis': they are lost together.
        is_lost = ops[0].kind == "reserve" and lives.lost_during(ops)
        if len(results) > 1 and not is_lost:
            yield f"one key, several results: {'; '.join(map(str, ops))}"
        yield from _forgotten(ops, lives)
    asked = {op.what for op in history.ops if op.what}
    for what, times in Counter(row.what for row in history.stored).items():
        if times > 1 and what in asked:
            yield f"one direct booking, {times} rows: {what}"


def _of_several_slots(lives: Lives) -> Iterator[str]:
    """Yield the reservations that were granted for more than one slot."""
    for grants in lives.grants.values():
        if len({op.slot for op in grants}) > 1:
            yield f"one reservation, several slots: {'; '.join(map(str, grants))}"


def _forgotten(ops: list[Op], lives: Lives) -> Iterator[str]:
    """Yield the repeats that were answered as if their key had not come before."""
    for first in (op for op in ops if op.granted):
        until_s = inf
        if first.kind == "reserve":
            until_s = lives.certain_until_s(first.reservation_id)
        for op in ops:
            is_during = first.done_s <= op.sent_s and op.done_s < until_s - SLACK_S
            if is_during and op.refused:
                yield f"refused although {first} came before: {op}"


def bookings_have_a_cause(history: History, lives: Lives) -> Iterator[str]:
    """What is booked was asked for, and not answered with a failure that changed nothing."""
    for row in history.stored:
        if not lives.makers(row):
            yield f"booked by nobody: {row}"


def slots_are_judged_rightly(history: History, lives: Lives) -> Iterator[str]:
    """At the end a slot is free exactly where the booking store has room for it."""
    for judgement in history.judgements:
        rows = [
            row for row in lives.rows.values() if row.blocks and row.slot.overlaps(judgement.slot)
        ]
        held = [
            Hold(slot=row.slot, holder=row.id, from_s=0, until_s=inf, why=row.id) for row in rows
        ]
        free = _most(held, judgement.slot) < history.terms.capacity(judgement.slot.resource_id)
        if free != judgement.granted:
            was = "granted" if judgement.granted else "refused"
            yield f"server {judgement.server} {was} {judgement.slot}; booked there: {rows}"


def errors_are_allowed(history: History, lives: Lives) -> Iterator[str]:
    """Failures come within a fault's time and say when to retry; refusals are the call's own."""
    del lives
    for op in history.ops:
        is_excused = op.given_up or any(window.touches(op) for window in history.windows)
        if op.refused and op.code not in ALLOWED[op.kind]:
            yield f"not how it may be refused: {op}"
        elif op.status not in (0, 503) and not op.granted and not op.refused:
            yield f"not how it may fail: {op}"
        elif op.status in (0, 503) and not is_excused:
            yield f"failed with no fault about: {op}{_after(history, op)}"
        elif op.status == 503 and not op.says_when:
            yield f"does not say when to retry: {op}"


def deadlines_are_kept(history: History, lives: Lives) -> Iterator[str]:
    """Every request ends within its deadline, unless its server was paused or killed."""
    del lives
    most_s = history.terms.deadline_s + DEADLINE_SLACK_S
    frozen = [window for window in history.windows if window.freezes]
    for op in history.ops:
        took_s = op.done_s - op.sent_s
        if took_s > most_s and not any(window.touches(op) for window in frozen):
            yield f"took {took_s:.1f} s: {op}{_after(history, op)}"


def is_available_again(history: History, lives: Lives) -> Iterator[str]:
    """Within five seconds of a fault's end every server is ready and reserves."""
    del lives
    for window in history.windows:
        took_s = window.healed_s - window.ended_s
        if not took_s <= AVAILABLE_S:
            yield f"{took_s:.1f} s after the end of {window.name} it was not well yet"


CHECKS: tuple[Check, ...] = (
    no_two_certain_grants,
    no_booking_lost,
    never_two,
    ends_are_exact,
    no_end_comes_early,
    refusals_have_a_cause,
    once,
    bookings_have_a_cause,
    slots_are_judged_rightly,
    errors_are_allowed,
    deadlines_are_kept,
    is_available_again,
)


def violations(history: History, checks: Iterable[Check] = CHECKS) -> list[str]:
    """Return every violation, the name of its check first."""
    lives = Lives(history)
    return [f"{check.__name__}: {found}" for check in checks for found in check(history, lives)]


def _after(history: History, op: Op) -> str:
    """Return which fault was the last before `op` was done, for whoever has to find out why."""
    before = [window for window in history.windows if window.began_s < op.done_s]
    return f" (the last fault: {before[-1].name})" if before else ""


def _booked(history: History) -> list[Op]:
    return [op for op in history.ops if op.kind in ("hand_off", "book") and op.granted]


def _by_key(history: History) -> dict[str, list[Op]]:
    keys: dict[str, list[Op]] = defaultdict(list)
    for op in history.ops:
        if op.key:
            keys[op.key].append(op)
    return keys


def _by_resource(holds: Iterable[Hold]) -> dict[str, list[Hold]]:
    found: dict[str, list[Hold]] = defaultdict(list)
    for hold in holds:
        found[hold.slot.resource_id].append(hold)
    return found


def _most(holds: list[Hold], within: Slot | None = None) -> int:
    """Return how many different holders need the resource at its fullest instant."""
    starts = {hold.slot.start_ms for hold in holds}
    if within:
        starts = {max(start_ms, within.start_ms) for start_ms in starts}
    return max((len(_holders_at(at_ms, holds)) for at_ms in starts), default=0)


def _holders_at(at_ms: int, holds: list[Hold]) -> set[str]:
    return {one.holder for one in holds if one.slot.start_ms <= at_ms < one.slot.end_ms}


class _Buckets:
    """Holds by the seconds they last, so that nobody has to look through all of them."""

    def __init__(self, holds: list[Hold]) -> None:
        self._by_second: dict[int, list[Hold]] = defaultdict(list)
        self._endless: list[Hold] = []
        for hold in holds:
            if hold.until_s - hold.from_s > LONG_S:
                self._endless.append(hold)
            elif hold.from_s < hold.until_s:
                for second in range(int(hold.from_s), int(hold.until_s) + 1):
                    self._by_second[second].append(hold)

    def during(self, from_s: float, until_s: float) -> list[Hold]:
        """Return what may have lasted at some time between both."""
        found = list(self._endless)
        for second in range(int(from_s), int(until_s) + 1):
            found += self._by_second.get(second, ())
        return [
            hold for hold in found if hold.from_s <= until_s and hold.until_s >= from_s - SLACK_S
        ]
