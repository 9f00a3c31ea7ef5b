"""From outcomes and exceptions to problems: the one place where that is decided.

`PROBLEMS` says what each code means; the sentences here tell what to do next.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from msgspec.structs import replace

from reservesvc.api.problems import (
    RETRY_MS,
    Problem,
    RefusedError,
    invalid,
    retry_headers,
)
from reservesvc.domain import times
from reservesvc.domain.outcomes import (
    CartEnded,
    CartRefused,
    Ended,
    ExtensionLimit,
    Invalid,
    KeyReused,
    Mismatch,
    NoSeat,
    NotFinal,
    NotFound,
    NotOpen,
    Past,
    Taken,
    TooFar,
    Unsettled,
)
from reservesvc.errors import OutcomeUnknownError, UnavailableError

Refusal = (
    Invalid
    | KeyReused
    | Past
    | TooFar
    | Taken
    | Ended
    | Unsettled
    | ExtensionLimit
    | Mismatch
    | NoSeat
    | NotOpen
    | NotFinal
    | NotFound
    | CartRefused
    | CartEnded
)
"""the outcomes that are not what the caller hoped for"""


_DEPENDENCIES = {"redis": "The reservation store", "store": "The booking store"}


def of_outcome(outcome: Refusal) -> Problem:  # noqa: C901, PLR0911, PLR0912 - a table: one row an outcome
    """Return the problem that `outcome` is for the caller."""
    match outcome:
        case Taken():  # first, for in a stampede nearly everybody gets it
            return _taken(outcome)
        case Invalid():
            return invalid(outcome.errors)
        case KeyReused():
            return KEY_REUSED
        case Past():
            return _past(outcome)
        case TooFar():
            return _too_far(outcome)
        case Ended():
            return _ended(outcome)
        case Unsettled():
            return HANDOFF_IN_PROGRESS
        case ExtensionLimit():
            return _extension_limit(outcome)
        case Mismatch():
            return _mismatch(outcome)
        case NoSeat():
            return _no_seat(outcome)
        case NotOpen():
            return _not_open(outcome)
        case NotFinal():
            return _not_final(outcome)
        case NotFound():
            return _not_found(outcome)
        case CartRefused():
            return _cart_refused(outcome)
        case CartEnded():
            return CART_INCOMPLETE if outcome.is_begun else _ended(Ended())
        case _:
            assert_never(outcome)


def of_exception(error: Exception, *, writes: bool) -> Problem:
    """Return the problem that `error` is for the caller.

    Args:
        error: what a handler or the framework raised.
        writes: whether the request may have changed something.

    """
    match error:
        case RefusedError():
            return error.problem
        case OutcomeUnknownError():
            return UNKNOWN
        case UnavailableError():
            return unavailable(_DEPENDENCIES.get(error.dependency, error.dependency))
        case TimeoutError():
            return UNKNOWN if writes else unavailable("The service")
        case _:
            return INTERNAL_ERROR


def reason_of(error: Exception) -> str | None:
    """Return what the log tells of `error` and callers need not know."""
    return str(error) if isinstance(error, UnavailableError) else None


def unavailable(who: str) -> Problem:
    """Return the problem of a request that changed nothing and may be repeated."""
    return Problem(
        code="unavailable",
        detail=f"{who} cannot do its part right now. Nothing was changed; try again.",
        extras={"retry_after_ms": RETRY_MS},
        headers=retry_headers(RETRY_MS),
    )


KEY_REUSED: Final = Problem(
    code="idempotency_key_reused",
    detail="This Idempotency-Key came with another body before; send a new key.",
)
CART_INCOMPLETE: Final = Problem(
    code="cart_incomplete",
    detail="Only a part of the cart that this Idempotency-Key made is held: it is being reserved "
    "right now, or it is lapsing. Try again shortly, or send a new key for a new cart.",
    extras={"retry_after_ms": RETRY_MS},
    headers=retry_headers(RETRY_MS),
)
HANDOFF_IN_PROGRESS: Final = Problem(
    code="handoff_in_progress",
    detail="The reservation is being turned into a booking right now; read it again shortly.",
    extras={"retry_after_ms": RETRY_MS},
    headers=retry_headers(RETRY_MS),
)
RESERVATION_NOT_FOUND: Final = Problem(
    code="reservation_not_found",
    detail="This is no reservation's id; use the one that POST /v2/bookings/reserve returned.",
)
NO_SUCH_URL: Final = Problem(
    code="not_found", detail="Nothing has this URL; compare it with the documentation."
)
UNKNOWN: Final = Problem(
    code="unavailable",
    detail="The answer did not come in time, and the change may or may not have happened. "
    "Repeat the request, with the same Idempotency-Key if it had one, to find out.",
    extras={"outcome": "unknown", "retry_after_ms": RETRY_MS},
    headers=retry_headers(RETRY_MS),
)
INTERNAL_ERROR: Final = Problem(
    code="internal_error",
    detail="The service failed on this request; report its Timekit-Request-Id to the operator.",
)


def _past(outcome: Past) -> Problem:
    rule = f"must be after {times.render(outcome.earliest_ms)}"
    return Problem(
        code="slot_too_old",
        detail=f"The slot ended too long ago; its end {rule}.",
        errors={"end": [f"end {rule}"]},
    )


def _too_far(outcome: TooFar) -> Problem:
    rule = f"must be no later than {times.render_rare(outcome.latest_ms)}"
    return Problem(
        code="slot_too_far",
        detail=f"The slot is too far ahead; its end {rule}.",
        errors={"end": [f"end {rule}"]},
    )


def _taken(outcome: Taken) -> Problem:
    if outcome.retry_after_ms is None:
        return Problem(
            code="slot_unavailable", detail=f"The slot is {outcome.by}; choose another one."
        )
    return Problem(
        code="slot_unavailable",
        detail=f"The slot is {outcome.by}; choose another one, or try again in "
        f"{-(-outcome.retry_after_ms // 1000)} s, when a reservation in the way may lapse.",
        extras={"retry_after_ms": outcome.retry_after_ms},
        headers=retry_headers(outcome.retry_after_ms),
    )


def _ended(outcome: Ended) -> Problem:
    extras: dict[str, str] = {"state": outcome.state}
    when = ""
    if outcome.ended_ms is not None:
        extras["ended_at"] = times.render(outcome.ended_ms)
        when = f" at {extras['ended_at']}"
    next_step = "reserve the slot again"
    if outcome.booking_id is not None:
        extras["booking_id"] = outcome.booking_id
        next_step = f"it is booking {outcome.booking_id} now"
    return Problem(
        code="reservation_ended",
        detail=f"The reservation ended{when} ({outcome.state}); {next_step}.",
        extras=extras,
    )


def _cart_refused(outcome: CartRefused) -> Problem:
    problem = of_outcome(outcome.outcome)
    return replace(
        problem,
        detail=f"Nothing of the cart is held, because of item {outcome.place}: {problem.detail}",
        extras=problem.extras | {"item": outcome.place},
    )


def _extension_limit(outcome: ExtensionLimit) -> Problem:
    latest = times.render(outcome.latest_ms)
    return Problem(
        code="extension_limit",
        detail=f"The reservation may live until {latest} at most; ask for a shorter duration.",
        errors={"duration": [f"duration must not reach beyond {latest}"]},
    )


def _mismatch(outcome: Mismatch) -> Problem:
    return Problem(
        code="reservation_mismatch",
        detail=f"The reservation has another {', '.join(outcome.fields)}; leave out what the "
        "reservation says already, or repeat it as it is.",
        errors={name: [f"{name} disagrees with the reservation"] for name in outcome.fields},
    )


def _no_seat(outcome: NoSeat) -> Problem:
    state, left = outcome.owner.state, outcome.seats_left
    if outcome.is_closed:
        why = f"The group is {state} and takes nobody; choose another one"
    else:
        why = f"The group has {left} seats left; ask for fewer, or choose another one"
    return Problem(
        code="seat_unavailable", detail=f"{why}.", extras={"state": state, "seats_left": left}
    )


def _not_open(outcome: NotOpen) -> Problem:
    state, actions = outcome.booking.state, list(outcome.open_actions)
    choice = f"open actions: {', '.join(actions)}" if actions else "no action is open any more"
    return Problem(
        code="action_not_allowed",
        detail=f"The action is not open in state {state}; {choice}.",
        extras={"state": state, "possible_actions": actions},
    )


def _not_final(outcome: NotFinal) -> Problem:
    state, actions = outcome.booking.state, list(outcome.ending_actions)
    next_step = f"end it first, with one of: {', '.join(actions)}"
    if not outcome.booking.is_known:
        next_step = "a newer version of the service may know how it ends"
    return Problem(
        code="booking_not_final",
        detail=f"A booking in state {state} is not over; {next_step}.",
        extras={"state": state, "possible_actions": actions},
    )


def _not_found(outcome: NotFound) -> Problem:
    # The pair of `error` and `model` is Timekit's; its clients look for it.
    return Problem(
        code="not_found",
        detail=f"There is no {outcome.model.lower()} with this id; "
        f"GET /v2/{outcome.model.lower()}s lists what there is.",
        extras={"error": "Resource does not exist", "model": outcome.model},
    )


def method_not_allowed(methods: Iterable[str]) -> Problem:
    """Return the problem of a URL that takes only `methods`."""
    allowed = ", ".join(sorted(methods))
    return Problem(
        code="method_not_allowed",
        detail=f"This URL takes {allowed}; use one of these.",
        headers={"Allow": allowed},
    )
