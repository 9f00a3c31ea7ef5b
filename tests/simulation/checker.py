"""The promises, held against a history.

Each check says which promise of docs/protocol.md it is about. While Redis may have lost
writes that it had acknowledged (a fail-over), only never two, never lost, once and healing
are judged.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from reservesvc.domain.booking import Booking
from reservesvc.domain.moves import is_repeat
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Deleted,
    Ended,
    Extended,
    Invalid,
    KeyReused,
    NotFinal,
    NotFound,
    NotOpen,
    Pending,
    Released,
    Rescheduled,
    Reserved,
    Taken,
)
from reservesvc.domain.rescheduling import can_be_rescheduled
from reservesvc.domain.reservation import ReservationId
from reservesvc.domain.slot import Usage
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.ports import Idempotency
from tests.simulation.given import GRACE_MS, parts_of, room, wish_of
from tests.simulation.history import CLIENT, FAULT, REDIS, STORE, Step
from tests.simulation.ledger import Ledger
from tests.simulation.plan import DAY_MS, Item
from tests.simulation.requests import DeadlineError, is_over, reservations_in
from tests.simulation.world import Run

NEVER_TWO = "never two"
NEVER_LOST = "never lost"
NO_FALSE_GRANTS = "no false grants"
EXACT_ENDS = "exact ends"
ONCE = "once"
SELF_HEALING = "self-healing"
FAIL_CLOSED = "fail closed, say so"
ACTIONS = ("cancel", "confirm", "decline", "complete")
"""of bookings, as a plan has them"""
PROMISES = (
    NEVER_TWO,
    NEVER_LOST,
    NO_FALSE_GRANTS,
    EXACT_ENDS,
    ONCE,
    SELF_HEALING,
    FAIL_CLOSED,
)

FOR_GOOD = ("reserve", "reserve_each")
"""requests that give back nothing they were granted, as a refused cart does"""


class Violation(NamedTuple):
    """A promise that was broken."""

    promise: str
    sentence: str
    place: int
    """of the step in the history that shows it"""


class BrokenError(Exception):
    """A promise was broken."""

    def __init__(self, promise: str, sentence: str) -> None:
        super().__init__(promise, sentence)
        self.promise = promise
        self.sentence = sentence


class Asked(NamedTuple):
    """A request under way."""

    step: Step
    losses: int
    """how often Redis had been emptied when it was asked"""
    was_over: bool
    """its reservation could not be handed off any more"""
    done: str | None
    """the booking that its reservation, or its key, had become or changed"""


def check(run: Run) -> Violation | None:
    """Return the first promise that `run` broke, or None."""
    checker = Checker(run)
    place = 0
    try:
        for place, step in enumerate(run.history):  # noqa: B007 - the place is the answer
            checker.take(step)
        checker.finish()
    except BrokenError as broken:
        return Violation(broken.promise, broken.sentence, place)
    return None


class Checker:
    """Goes through a history step by step.

    Raises:
        BrokenError: from any method, at the first step that breaks a promise.

    """

    def __init__(self, run: Run) -> None:
        self._run = run
        capacities = {room(n): value for n, value in enumerate(run.plan.capacities)}
        self._ledger = Ledger(capacities)
        self._asked: dict[int, Asked] = {}
        self._changed: set[int] = set()
        self._refused: set[int] = set()
        self._granted: dict[int, set[tuple[str, Usage]]] = {}
        """what each request was granted in Redis"""
        self._answers: dict[str, str] = {}
        self._acknowledged: dict[str, Booking] = {}
        self._losses = 0
        self._is_exact = True
        """Redis lost no acknowledged write unseen"""

    def take(self, step: Step) -> None:
        """Judge one step."""
        handler = _HANDLERS.get((step.where, step.name))
        if handler:
            handler(self, step)

    def finish(self) -> None:
        """Judge what is there at the end."""
        for step in (asked.step for asked in self._asked.values()):
            raise BrokenError(FAIL_CLOSED, f"request #{step.number} was never answered")
        # A resync that found a dependency down, its waiters gone, is none.
        for failure in self._run.failures:
            if isinstance(failure, UnavailableError):
                continue
            raise BrokenError(FAIL_CLOSED, f"failed where nobody waited: {failure!r}")
        for booking in self._acknowledged.values():
            self._check_kept(booking)
        for resource_id, outcome in self._run.tidied:
            if outcome not in {"clean", "cold"}:
                raise BrokenError(SELF_HEALING, f"tidying {resource_id} again: {outcome!r}")
        for item, verdict in self._run.verdicts:
            self._check_verdict(item, verdict)

    def _check_kept(self, booking: Booking) -> None:
        row = self._run.rows.get(booking.id)
        if booking.id in self._ledger.deleted:
            if row is not None:
                raise BrokenError(NEVER_LOST, f"booking {booking.id} was deleted and is back")
            return
        if row is None:
            raise BrokenError(NEVER_LOST, f"booking {booking.id} was acknowledged and is gone")
        last = self._ledger.committed[booking.id]
        if row.state != last.state:
            raise BrokenError(NEVER_LOST, f"booking {booking.id} went back to {row.state}")
        if row.entry_id != last.entry_id:
            raise BrokenError(NEVER_LOST, f"booking {booking.id} went back to an earlier slot")

    def _check_verdict(self, item: Item, verdict: object) -> None:
        resource_id, wanted = room(item.resource), _wanted(item)
        is_free = self._ledger.fits(resource_id, wanted, self._ledger.booked(resource_id))
        if not isinstance(verdict, Reserved if is_free else Taken):
            state = "free" if is_free else "booked"
            sentence = (
                f"in the end {resource_id} at {item.hour} h is {state}, a claim got {verdict!r}"
            )
            raise BrokenError(SELF_HEALING, sentence)

    # Redis.

    def _reserve(self, step: Step) -> None:
        claim, _, idempotency = step.arguments
        outcome, ledger = step.outcome, self._ledger
        resource_id = claim.id.resource_id
        wanted = Usage(claim.start_ms, claim.end_ms, claim.quantity)
        if isinstance(outcome, Taken):
            self._check_taken(step, resource_id, wanted, outcome)
        is_new = isinstance(outcome, Reserved) and outcome.reservation.id == claim.id
        held = ledger.held.get(claim.id)
        if not is_new or ledger.is_booked(claim.id):
            return
        if held and outcome.reservation.expires_ms <= held.until_ms:
            return
        ledger.end(claim.id)
        # Bookings are judged rightly even after a fail-over: every index is cold by then.
        if not ledger.fits(resource_id, wanted, ledger.booked(resource_id)):
            raise BrokenError(NO_FALSE_GRANTS, "a booked slot was granted")
        if self._is_exact:
            if not ledger.fits(resource_id, wanted, ledger.certain(resource_id, _now(step))):
                raise BrokenError(NO_FALSE_GRANTS, "a slot that is taken was granted")
            if idempotency and idempotency.digest in ledger.pins:
                raise BrokenError(ONCE, "one key reserved twice")
        ledger.grant(claim, outcome.reservation)
        self._granted.setdefault(step.number, set()).add((resource_id, wanted))
        if idempotency:
            ledger.pins[idempotency.digest] = (idempotency.fingerprint, claim.id)

    def _reserve_instead(self, step: Step) -> None:
        claim, _, own = step.arguments
        outcome, ledger, now_ms = step.outcome, self._ledger, _now(step)
        resource_id = claim.id.resource_id
        wanted = Usage(claim.start_ms, claim.end_ms, claim.quantity)
        if isinstance(outcome, Taken):
            self._check_taken(step, resource_id, wanted, outcome, own)
        # A repeat finds its own claim; one under the id of a claim that lapsed is a new one.
        until_ms = now_ms + claim.duration_ms
        is_new = isinstance(outcome, Reserved) and outcome.reservation.expires_ms == until_ms
        if not is_new or not ledger.is_over(claim.id, now_ms):
            return
        if str(claim.id) in ledger.by_reservation:
            # It was made for a booking that has moved already, and may have ended since: this
            # found the booking's entry, or is in the way until that is noticed.
            ledger.suspect(claim, outcome.reservation)
            return
        if not ledger.fits(resource_id, wanted, ledger.booked(resource_id, own)):
            raise BrokenError(NO_FALSE_GRANTS, "a booked slot was granted to a booking")
        certain = ledger.certain(resource_id, now_ms, own)
        if self._is_exact and not ledger.fits(resource_id, wanted, certain):
            raise BrokenError(NO_FALSE_GRANTS, "a slot that is taken was granted to a booking")
        ledger.grant(claim, outcome.reservation, own)

    def _check_taken(
        self, step: Step, resource_id: str, wanted: Usage, outcome: Taken, own: str = ""
    ) -> None:
        ledger = self._ledger
        booked = ledger.booked(resource_id, own)
        if outcome.by == "booked" and ledger.fits(resource_id, wanted, booked):
            raise BrokenError(SELF_HEALING, "a slot that is not booked was called booked")
        possible = ledger.possible(resource_id, _now(step), own)
        if self._is_exact and ledger.fits(resource_id, wanted, possible):
            raise BrokenError(EXACT_ENDS, "a free slot was refused")

    def _extend(self, step: Step) -> None:
        if not isinstance(step.outcome, Extended):
            return
        (reservation_id, _), ledger = step.arguments, self._ledger
        self._check_not_over(reservation_id, step, "a reservation was revived")
        held = ledger.held.get(reservation_id)
        if held:
            held.until_ms = max(held.until_ms, step.outcome.reservation.expires_ms)
            held.key_until_ms = max(held.key_until_ms, held.until_ms)

    def _release(self, step: Step) -> None:
        if isinstance(step.outcome, Released):
            reservation_id, *idempotency = step.arguments
            self._ledger.end(reservation_id)
            for key in filter(None, idempotency):
                self._ledger.pins.pop(key.digest, None)

    def _unsettle_reservation(self, step: Step) -> None:
        if not isinstance(step.outcome, Pending):
            return
        reservation_id = step.arguments[0].id
        self._check_not_over(reservation_id, step, "a hand-off began after the end")
        held = self._ledger.held.get(reservation_id)
        if held and not held.is_graced:
            held.is_graced = True
            held.key_until_ms = max(held.key_until_ms, _now(step) + GRACE_MS)

    def _settle(self, step: Step) -> None:
        if step.outcome:
            entry = step.arguments[0]
            self._ledger.end(ReservationId(entry.resource_id, entry.id))

    def _check_not_over(self, reservation_id: ReservationId, step: Step, sentence: str) -> None:
        is_booked = str(reservation_id) in self._ledger.by_reservation
        if self._is_exact and not is_booked and self._ledger.is_over(reservation_id, _now(step)):
            raise BrokenError(EXACT_ENDS, sentence)

    # The booking store.

    def _book(self, step: Step) -> None:
        outcome = step.outcome
        if not isinstance(outcome, Booked) or outcome.repeated:
            return
        booking, ledger = outcome.booking, self._ledger
        self._changes(step)
        self._check_once(booking, step)
        if booking.blocks:
            self._check_room(booking, step)
        ledger.commit(booking)

    def _check_room(self, booking: Booking, step: Step) -> None:
        """Judge a booking that takes its slot: what claimed it for the booking ends with that."""
        ledger = self._ledger
        ledger.end(ReservationId(booking.resource_id, booking.entry_id))
        if not ledger.fits(booking.resource_id, booking.usage, ledger.booked(booking.resource_id)):
            raise BrokenError(NEVER_TWO, "bookings exceed the capacity")
        certain = ledger.certain(booking.resource_id, _now(step))
        if self._is_exact and not ledger.fits(booking.resource_id, booking.usage, certain):
            raise BrokenError(NO_FALSE_GRANTS, "a slot was booked that another holds")
        asked = self._asked.get(step.number)
        if self._is_exact and asked and asked.was_over:
            raise BrokenError(EXACT_ENDS, "a hand-off asked for after the end was booked")

    def _check_once(self, booking: Booking, step: Step) -> None:
        ledger, idempotency = self._ledger, step.arguments[2]
        if booking.reservation_id in ledger.by_reservation:
            raise BrokenError(ONCE, "one reservation became two bookings")
        if idempotency and idempotency.digest in ledger.by_key:
            raise BrokenError(ONCE, "one key made two bookings")
        ledger.by_reservation[booking.reservation_id] = booking.id
        if idempotency:
            ledger.by_key[idempotency.digest] = booking.id

    def _change_state(self, step: Step) -> None:
        outcome, asked = step.outcome, self._asked.get(step.number)
        if isinstance(outcome, Changed) and not outcome.repeated:
            self._changes(step)
            self._keep_act(outcome.booking.id, step.arguments[5])
            if outcome.booking.blocks and not self._ledger.committed[outcome.booking.id].blocks:
                self._check_room(outcome.booking, step)
                claim = ReservationId(outcome.booking.resource_id, outcome.booking.entry_id)
                self._ledger.by_reservation[str(claim)] = outcome.booking.id
            self._ledger.commit(outcome.booking)
        is_sure = self._is_exact and asked is not None and asked.losses == self._losses
        if isinstance(outcome, Taken) and is_sure:
            raise BrokenError(NO_FALSE_GRANTS, "a claim lost its slot to somebody")

    def _keep_act(self, booking_id: str, idempotency: Idempotency | None) -> None:
        if idempotency is None:
            return
        if idempotency.digest in self._ledger.acts:
            raise BrokenError(ONCE, "one key acted twice")
        self._ledger.acts[idempotency.digest] = booking_id

    def _reschedule(self, step: Step) -> None:
        outcome, ledger = step.outcome, self._ledger
        if not isinstance(outcome, Rescheduled) or outcome.repeated:
            return
        booking, idempotency = outcome.booking, step.arguments[3]
        self._changes(step)
        if idempotency:
            if idempotency.digest in ledger.moves:
                raise BrokenError(ONCE, "one key rescheduled twice")
            ledger.moves[idempotency.digest] = (idempotency.fingerprint, booking.id)
        claim = ReservationId(booking.resource_id, booking.entry_id)
        ledger.end(claim)
        ledger.by_reservation[str(claim)] = booking.id
        ledger.leave(booking.id)
        if not ledger.fits(booking.resource_id, booking.usage, ledger.booked(booking.resource_id)):
            raise BrokenError(NEVER_TWO, "a booking went where the capacity is exceeded")
        certain = ledger.certain(booking.resource_id, _now(step))
        if self._is_exact and not ledger.fits(booking.resource_id, booking.usage, certain):
            raise BrokenError(NO_FALSE_GRANTS, "a booking went where another holds the slot")
        ledger.commit(booking)

    def _delete_booking(self, step: Step) -> None:
        if not isinstance(step.outcome, Deleted):
            return
        self._changes(step)
        booking = self._ledger.committed[step.arguments[0].id]
        if not is_over(booking):
            raise BrokenError(FAIL_CLOSED, "a booking was deleted that was not over")
        self._ledger.delete(booking.id)

    def _changes(self, step: Step) -> None:
        if step.number in self._refused:
            raise BrokenError(FAIL_CLOSED, "what was refused for certain took place")
        self._changed.add(step.number)

    # Faults.

    def _crash(self, step: Step) -> None:
        (server,) = step.arguments
        for number in [n for n, asked in self._asked.items() if asked.step.server == server]:
            del self._asked[number]

    def _flush(self, _: Step) -> None:
        self._ledger.lose_reservations()
        self._losses += 1

    def _delete_key(self, step: Step) -> None:
        self._ledger.end(step.arguments[0])

    def _fail_over(self, _: Step) -> None:
        self._is_exact = False

    # Clients.

    def _asks(self, step: Step) -> None:
        name, *arguments = step.arguments
        ledger, was_over, done = self._ledger, False, None
        if name == "hand_off":
            done = ledger.by_reservation.get(str(arguments[0]))
            was_over = done is None and ledger.is_over(arguments[0], _now(step))
        elif name == "book" and arguments[1]:
            done = ledger.by_key.get(arguments[1].digest)
        elif name == "reschedule" and arguments[2]:
            _, done = ledger.moves.get(arguments[2].digest, (None, None))
        elif name in ACTIONS and arguments[1]:
            done = ledger.acts.get(arguments[1].digest)
        self._asked[step.number] = Asked(step, self._losses, was_over, done)

    def _hears(self, step: Step) -> None:
        asked = self._asked.pop(step.number, None)
        name, *arguments = step.arguments
        if isinstance(step.outcome, Exception):
            self._hears_error(step, step.outcome)
            if name in FOR_GOOD:
                for part in parts_of(arguments[0]):
                    self._check_refused(step, part, step.outcome)
        elif asked:
            _ANSWERS[name](self, step, asked, *arguments)

    def _hears_error(self, step: Step, error: Exception) -> None:
        if not isinstance(error, UnavailableError | DeadlineError):
            raise BrokenError(FAIL_CLOSED, f"a request failed with {error!r}")
        gave_up = isinstance(error, DeadlineError)
        if self._run.plan.is_calm and not (
            gave_up and self._run.plan.items[step.number].gives_up_ms
        ):
            raise BrokenError(FAIL_CLOSED, f"nothing is wrong, and a request got {error!r}")
        if gave_up or isinstance(error, OutcomeUnknownError):
            return
        if step.number in self._changed:
            raise BrokenError(FAIL_CLOSED, "what took place was refused for certain")
        self._refused.add(step.number)

    def _hears_reserve(self, step: Step, asked: Asked, item: Item, key: Any) -> None:
        outcome, pins = step.outcome, self._ledger.pins
        if not isinstance(outcome, Reserved | Taken | KeyReused | Ended):
            raise BrokenError(FAIL_CLOSED, f"a reserve got {outcome!r}")
        if not self._is_exact or asked.losses != self._losses:
            return
        if isinstance(outcome, KeyReused) and key.fingerprint == pins[key.digest][0]:
            raise BrokenError(ONCE, "a repeated key was called reused")
        if not isinstance(outcome, Reserved):
            return
        reservation = outcome.reservation
        if key and pins.get(key.digest) != (key.fingerprint, reservation.id):
            raise BrokenError(ONCE, "one key was told of two reservations")
        wanted = _wanted(item)
        if (reservation.start_ms, reservation.end_ms) != (wanted.start_ms, wanted.end_ms):
            raise BrokenError(ONCE, "a reserve got somebody else's answer")

    def _hears_hand_off(self, step: Step, asked: Asked, target: ReservationId) -> None:
        outcome = step.outcome
        if isinstance(outcome, Booked):
            self._acknowledge(outcome.booking, f"reservation {target}")
            if outcome.booking.reservation_id != str(target):
                raise BrokenError(ONCE, "a hand-off got somebody else's booking")
        elif not isinstance(outcome, Ended | Taken):
            raise BrokenError(FAIL_CLOSED, f"a hand-off got {outcome!r}")
        elif self._is_done(asked):
            raise BrokenError(ONCE, "a repeated hand-off was not told its booking")
        elif isinstance(outcome, Taken) and self._is_exact and asked.losses == self._losses:
            raise BrokenError(NO_FALSE_GRANTS, "a hand-off lost its slot to somebody")
        else:
            self._check_ended(step, asked, target)

    def _hears_book(self, step: Step, asked: Asked, _: Item, key: Any) -> None:
        outcome = step.outcome
        if isinstance(outcome, Booked):
            self._acknowledge(outcome.booking, f"key {key.digest}" if key else "")
        elif not isinstance(outcome, Taken | KeyReused | Ended):
            raise BrokenError(FAIL_CLOSED, f"a direct booking got {outcome!r}")
        elif self._is_done(asked) and not isinstance(outcome, KeyReused):
            raise BrokenError(ONCE, "a repeated direct booking was not told its booking")

    def _acknowledge(self, booking: Booking, asked_with: str) -> None:
        if booking.id not in self._ledger.committed:
            raise BrokenError(NEVER_LOST, "a booking was acknowledged that was not committed")
        if booking.id in self._ledger.deleted:
            return
        self._acknowledged[booking.id] = booking
        earlier = self._answers.get(asked_with, booking.id)
        if asked_with and earlier != booking.id and earlier not in self._ledger.deleted:
            raise BrokenError(ONCE, f"{asked_with} was told of two bookings")
        self._answers[asked_with] = booking.id

    def _is_done(self, asked: Asked) -> bool:
        """Tell whether what was asked for had been done before, and was not deleted since."""
        return asked.done is not None and asked.done not in self._ledger.deleted

    def _hears_act(self, step: Step, asked: Asked, target: str, _: Idempotency | None) -> None:
        outcome = step.outcome
        if self._is_done(asked) and not isinstance(outcome, Changed):
            raise BrokenError(ONCE, f"a repeated action of {target} was not told what it did")
        if isinstance(outcome, NotFound):
            self._check_not_found(target)
        if isinstance(outcome, NotOpen):
            self._check_not_open(step.arguments[0], outcome.booking)
        if isinstance(outcome, Changed):
            if outcome.booking.state not in self._ledger.states[target]:
                raise BrokenError(NEVER_LOST, f"booking {target} was changed in word only")
            self._acknowledged[target] = outcome.booking

    def _check_not_found(self, target: str) -> None:
        if target not in self._ledger.deleted:
            raise BrokenError(NEVER_LOST, f"booking {target} was not found")

    def _hears_delete(self, step: Step, _: Asked, target: str) -> None:
        outcome = step.outcome
        if isinstance(outcome, NotFinal):
            self._check_not_final(outcome.booking)
        elif isinstance(outcome, Deleted | NotFound):
            self._check_not_found(target)
        else:
            raise BrokenError(FAIL_CLOSED, f"deleting {target} got {outcome!r}")

    def _check_not_final(self, told: Booking) -> None:
        if told.state not in self._ledger.states[told.id]:
            raise BrokenError(NEVER_LOST, f"booking {told.id} was called {told.state}")
        if is_over(told):
            raise BrokenError(FAIL_CLOSED, f"a booking that is {told.state} was not deleted")

    def _hears_reschedule(
        self, step: Step, asked: Asked, target: str, item: Item, key: Idempotency | None
    ) -> None:
        outcome = step.outcome
        known = self._ledger.moves.get(key.digest) if key else None
        if isinstance(outcome, NotFound):
            self._check_not_found(target)
        elif not isinstance(outcome, Rescheduled | Taken | NotOpen | Invalid | KeyReused):
            raise BrokenError(NEVER_LOST, f"rescheduling {target} got {outcome!r}")
        elif isinstance(outcome, KeyReused):
            self._check_reused(key, known)
        elif not isinstance(outcome, Rescheduled) and self._is_done(asked):
            raise BrokenError(ONCE, f"a repeated reschedule of {target} was not told what it did")
        elif isinstance(outcome, NotOpen):
            self._check_unmovable(outcome.booking)
        elif isinstance(outcome, Rescheduled):
            self._check_moved(target, outcome, None if known else item)

    def _check_reused(self, key: Idempotency | None, known: tuple[str, str] | None) -> None:
        if key and known and known[0] == key.fingerprint:
            raise BrokenError(ONCE, "a repeated key of a reschedule was called reused")

    def _check_moved(self, target: str, told: Rescheduled, item: Item | None) -> None:
        """Check what a reschedule was told; without `item` its slot may be a later one."""
        booking, wanted = told.booking, item and _wanted(item)
        if wanted and (booking.start_ms, booking.end_ms) != (wanted.start_ms, wanted.end_ms):
            raise BrokenError(ONCE, f"booking {target} was sent elsewhere")
        if (target, booking.entry_id) not in self._ledger.placed:
            raise BrokenError(NEVER_LOST, f"booking {target} was rescheduled in word only")

    def _check_unmovable(self, told: Booking) -> None:
        if told.state not in self._ledger.states[told.id]:
            raise BrokenError(NEVER_LOST, f"booking {told.id} was called {told.state}")
        if can_be_rescheduled(told):
            raise BrokenError(FAIL_CLOSED, f"a booking that is {told.state} was left where it is")

    def _check_not_open(self, action: str, told: Booking) -> None:
        if told.state not in self._ledger.states[told.id]:
            raise BrokenError(NEVER_LOST, f"booking {told.id} was called {told.state}")
        if told.life.next_state(told.state, action):
            raise BrokenError(FAIL_CLOSED, f"{action} was refused, and is open in {told.state}")
        if is_repeat(told, action, None):
            raise BrokenError(ONCE, f"{action} was refused, and is what led to {told.state}")

    def _hears_of_reservation(self, step: Step, asked: Asked, target: ReservationId) -> None:
        self._check_ended(step, asked, target)

    def _check_ended(self, step: Step, asked: Asked, target: ReservationId) -> None:
        is_exact = self._is_exact and asked.losses == self._losses
        if (
            is_exact
            and isinstance(step.outcome, Ended)
            and self._ledger.is_live(target, _now(step))
        ):
            raise BrokenError(NO_FALSE_GRANTS, "a live reservation was called ended")

    def _hears_each(self, step: Step, asked: Asked, item: Item, key: Any) -> None:
        for part, end in zip(parts_of(item), step.outcome, strict=True):
            if isinstance(end, Exception):
                self._check_refused(step, part, end)
        self._hears_batch(step, asked, item, key)

    def _check_refused(self, step: Step, item: Item, error: Exception) -> None:
        """Check that nothing was granted to whom an error said that nothing was changed."""
        if isinstance(error, OutcomeUnknownError | DeadlineError):
            return
        if self._run.plan.is_calm:
            raise BrokenError(FAIL_CLOSED, f"nothing is wrong, and an item got {error!r}")
        if (room(item.resource), _wanted(item)) in self._granted.get(step.number, ()):
            raise BrokenError(FAIL_CLOSED, "what was granted was refused for certain")

    def _hears_batch(self, step: Step, asked: Asked, _: Item, __: Any) -> None:
        if asked.losses == self._losses and self._is_exact:
            for reservation_id in reservations_in(step.outcome):
                if reservation_id not in self._ledger.granted:
                    raise BrokenError(NO_FALSE_GRANTS, "a batch was told of what was not granted")

    def _hears_tidy(self, step: Step, _: Asked, __: str) -> None:
        if step.outcome not in {"clean", "cold", "resynced"}:
            raise BrokenError(FAIL_CLOSED, f"tidying got {step.outcome!r}")

    def _hears_live(self, step: Step, asked: Asked, resource_id: str) -> None:
        if not self._is_exact or asked.losses != self._losses:
            return
        listed = {reservation.id for reservation in step.outcome[0]}
        for reservation_id, held in self._ledger.held.items():
            was_there = held.resource_id == resource_id and held.granted_ms < _now(asked.step)
            if was_there and _now(step) < held.until_ms and reservation_id not in listed:
                raise BrokenError(NO_FALSE_GRANTS, "a live reservation was not listed")


_HANDLERS: dict[tuple[str, str], Callable[[Checker, Step], None]] = {
    (REDIS, "reserve"): Checker._reserve,
    (REDIS, "reserve_instead"): Checker._reserve_instead,
    (REDIS, "extend"): Checker._extend,
    (REDIS, "release"): Checker._release,
    (REDIS, "unsettle_reservation"): Checker._unsettle_reservation,
    (REDIS, "settle_booked"): Checker._settle,
    (REDIS, "settle_freed"): Checker._settle,
    (STORE, "book"): Checker._book,
    (STORE, "change_state"): Checker._change_state,
    (STORE, "reschedule"): Checker._reschedule,
    (STORE, "delete_booking"): Checker._delete_booking,
    (FAULT, "crash"): Checker._crash,
    (FAULT, "flush"): Checker._flush,
    (FAULT, "delete_key"): Checker._delete_key,
    (FAULT, "fail_over"): Checker._fail_over,
    (CLIENT, "asks"): Checker._asks,
    (CLIENT, "hears"): Checker._hears,
}
_ANSWERS: dict[str, Callable[..., None]] = {
    "reserve": Checker._hears_reserve,
    "hand_off": Checker._hears_hand_off,
    "book": Checker._hears_book,
    "ask": Checker._hears_book,
    **dict.fromkeys(ACTIONS, Checker._hears_act),
    "reschedule": Checker._hears_reschedule,
    "delete": Checker._hears_delete,
    "extend": Checker._hears_of_reservation,
    "release": Checker._hears_of_reservation,
    "read": Checker._hears_of_reservation,
    "live": Checker._hears_live,
    "tidy": Checker._hears_tidy,
    "reserve_each": Checker._hears_each,
    "reserve_all": Checker._hears_batch,
}


def _now(step: Step) -> int:
    """Return the time on Redis' clock."""
    return DAY_MS + step.ms


def _wanted(item: Item) -> Usage:
    wish = wish_of(item)
    return Usage(wish.start_ms or 0, wish.end_ms or 0, item.quantity)
