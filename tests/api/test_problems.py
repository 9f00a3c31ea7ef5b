"""Problems: every code in the table is produced, documented, and looks as RFC 9457 says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import Struct

from reservesvc.api import refusals
from reservesvc.api.problems import PROBLEMS
from reservesvc.api.refusals import Refusal
from reservesvc.apikeys import ApiKey, digest_of
from reservesvc.domain import outcomes
from reservesvc.domain.outcomes import (
    CartEnded,
    CartRefused,
    Ended,
    ExtensionLimit,
    Invalid,
    KeyReused,
    Live,
    Mismatch,
    NoSeat,
    NotFinal,
    NotFound,
    NotOpen,
    Outcome,
    Past,
    Reserved,
    Taken,
    TooFar,
    Unsettled,
)
from reservesvc.domain.reservation import granted
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from tests.api import ordinary
from tests.api.client import ADA, BODY_BYTES_MAX, BOOK, RESERVE, Http
from tests.api.conftest import Start
from tests.api.stubs import BOOKING_ID, RESERVATION_ID, Stubs
from tests.builders import DAY, a_booking, a_claim, at

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"
KEYS = (ApiKey("site", "widget", digest_of("site-secret")),)
HAND_OFF = BOOK | {"reservation_id": RESERVATION_ID}

REFUSALS: dict[type[Outcome], Refusal] = {
    Invalid: Invalid(errors={"start": ["start is required"]}),
    KeyReused: KeyReused(),
    Past: Past(earliest_ms=at(0)),
    TooFar: TooFar(latest_ms=at(0)),
    Taken: Taken(by="reserved", retry_after_ms=1_001),
    Ended: Ended(state="converted", ended_ms=at(0), booking_id="b"),
    Unsettled: Unsettled(),
    ExtensionLimit: ExtensionLimit(latest_ms=at(0)),
    Mismatch: Mismatch(fields=("start", "end")),
    NoSeat: NoSeat(owner=a_booking(), seats_left=0, is_closed=False),
    NotOpen: NotOpen(booking=a_booking(), open_actions=("cancel",)),
    NotFinal: NotFinal(booking=a_booking(), ending_actions=("cancel",)),
    NotFound: NotFound(model="Booking", id="b"),
    CartRefused: CartRefused(place=2, outcome=Taken(by="booked")),
    CartEnded: CartEnded(is_begun=False),
}
HOPED_FOR = {
    "Reserved",
    "CartReserved",
    "Live",
    "Extended",
    "Released",
    "Booked",
    "Changed",
    "Rescheduled",
    "Deleted",
}
WITHIN_THE_FLOW = {"Busy", "Cold", "ReplayedEnded", "Pending", "FenceMoved", "Overdue", "Overtaken"}


class Case(Struct):
    """How to produce a problem: what the stubs say, and the request."""

    request: ordinary.Request
    headers: dict[str, str] = {}
    script: Callable[[Stubs], None] | None = None
    keys: tuple[ApiKey, ...] = ()


def _reserving(answer: Any) -> Case:
    return Case(
        ordinary.named("reserve"), script=lambda stubs: stubs.reservations.will("reserve", answer)
    )


def _posting(path: str, body: object, **headers: str) -> Case:
    return Case(ordinary.Request("POST", path, body), headers)


def _half_a_cart(stubs: Stubs) -> None:
    reservation = granted(a_claim(), at(0))
    stubs.reservations.will("reserve", Reserved(reservation=reservation, replayed=True))
    states: list[Outcome] = [Live(reservation=reservation), Ended()]

    async def read() -> Outcome:
        return states.pop()

    stubs.reservations.will("read", read)


def _a_full_group(stubs: Stubs) -> None:
    owner = a_booking(graph="group_owner", state="tentative")
    stubs.bookings.will("booking", owner)
    stubs.bookings.will("take_seat", NoSeat(owner=owner, seats_left=0, is_closed=False))


A_SEAT = {
    "graph": "group_customer",
    "related": {"owner_booking_id": BOOKING_ID},
    "customer": ADA,
}
RESERVE_PATH = "/v2/bookings/reserve"
CASES = {
    "malformed_json": _posting(RESERVE_PATH, b"{"),
    "idempotency_key_invalid": Case(
        ordinary.named("reserve"), headers={"Idempotency-Key": "k" * 256}
    ),
    "unauthorized": Case(ordinary.named("reserve"), keys=KEYS),
    "forbidden": Case(
        ordinary.named("find_bookings"), {"Authorization": "Bearer site-secret"}, keys=KEYS
    ),
    "not_found": Case(ordinary.Request("GET", "/v2/bookings/none")),
    "reservation_not_found": Case(ordinary.Request("GET", f"{RESERVE_PATH}/none")),
    "method_not_allowed": Case(ordinary.Request("PATCH", "/v2/bookings")),
    "slot_unavailable": _reserving(Taken(by="reserved", retry_after_ms=1_001)),
    "seat_unavailable": Case(
        ordinary.Request("POST", "/v2/bookings", A_SEAT), script=_a_full_group
    ),
    "cart_incomplete": Case(
        ordinary.Request(
            "POST",
            f"{RESERVE_PATH}/batch",
            {"mode": "all_or_nothing", "reservations": [RESERVE, RESERVE]},
        ),
        {"Idempotency-Key": "k"},
        script=_half_a_cart,
    ),
    "handoff_in_progress": Case(
        ordinary.named("release"),
        script=lambda stubs: stubs.reservations.will("release", Unsettled()),
    ),
    "slug_taken": Case(
        ordinary.Request("POST", "/v2/projects", {"name": "Salon", "slug": "salon"}),
        script=lambda stubs: stubs.bookings.will("create_project", None),
    ),
    "id_taken": Case(
        ordinary.Request("POST", "/v2/resources", {"name": "Chair", "id": "chair"}),
        script=lambda stubs: stubs.bookings.will("create_resource", None),
    ),
    "reservation_ended": Case(
        ordinary.named("read"),
        script=lambda stubs: stubs.reservations.will("read", Ended(state="released")),
    ),
    "payload_too_large": _posting(RESERVE_PATH, b" " * (BODY_BYTES_MAX + 1)),
    "unsupported_encoding": _posting(RESERVE_PATH, RESERVE, Content_Encoding="gzip"),
    "invalid_fields": _posting(RESERVE_PATH, {}),
    "idempotency_key_reused": _reserving(KeyReused()),
    "slot_too_old": _reserving(Past(earliest_ms=at(0))),
    "slot_too_far": _reserving(TooFar(latest_ms=at(0))),
    "extension_limit": Case(
        ordinary.named("extend"),
        script=lambda stubs: stubs.reservations.will("extend", ExtensionLimit(latest_ms=at(0))),
    ),
    "reservation_mismatch": _posting("/v2/bookings", HAND_OFF | {"resource_id": "room-2"}),
    "action_not_allowed": Case(
        ordinary.Request("PUT", f"{ordinary.named('read_booking').path}/fly")
    ),
    "booking_not_final": Case(
        ordinary.Request("DELETE", ordinary.named("read_booking").path),
    ),
    "internal_error": _reserving(RuntimeError("no secret leaves")),
    "unavailable": _reserving(UnavailableError("redis", "Redis does not answer.")),
}
SHOWN_ELSEWHERE = {
    **dict.fromkeys(
        (
            "malformed_request",
            "uri_too_long",
            "headers_too_large",
            "http_version_not_supported",
        ),
        "test_malformed.test_a_malformed_request_gets_a_problem",
    ),
    "repeated_header": "test_query.test_an_authorization_comes_once",
    "request_timeout": "test_bodies.test_a_dripping_body_times_out",
    "origin_not_allowed": "test_cross_origin.test_a_preflight_of_another_origin_is_refused",
}


def test_every_code_has_a_case() -> None:
    """A code that nothing produces would be a promise without a test."""
    assert CASES.keys() | SHOWN_ELSEWHERE.keys() == PROBLEMS.keys()


@pytest.mark.parametrize("code", CASES)
async def test_every_code_is_produced_as_its_row_says(
    start: Start, stubs: Stubs, code: str
) -> None:
    """Status and title come from the table; `error` is for Timekit's clients."""
    case = CASES[code]
    if case.script:
        case.script(stubs)
    http = await start(keys=case.keys)
    answer = await http(*case.request, **case.headers)
    body = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status, body["status"]) == (PROBLEMS[code].status, PROBLEMS[code].status)
    assert (body["code"], body["type"]) == (code, f"/problems/{code}")
    assert body["title"] == PROBLEMS[code].title
    assert body["detail"].endswith(".")
    assert body["error"] == ("Resource does not exist" if code == "not_found" else body["detail"])
    assert answer.headers["Timekit-Request-Id"]
    assert b"no secret leaves" not in answer.body


def test_every_outcome_is_answered() -> None:
    """An outcome is hoped for, refused with a problem, or never leaves the flow."""
    everything = {
        name
        for name, value in vars(outcomes).items()
        if isinstance(value, type) and issubclass(value, Outcome) and value is not Outcome
    }
    refused = {kind.__name__ for kind in get_args(Refusal)}
    assert everything == refused | HOPED_FOR | WITHIN_THE_FLOW
    assert refused == {kind.__name__ for kind in REFUSALS}


@pytest.mark.parametrize("outcome", REFUSALS.values(), ids=lambda value: type(value).__name__)
def test_every_refusal_says_what_to_do(outcome: Refusal) -> None:
    """Each has a code of the table, and a sentence that goes on after saying what happened."""
    problem = refusals.of_outcome(outcome)
    assert problem.code in PROBLEMS
    assert problem.detail.endswith(".")


def test_retry_after_is_rounded_up() -> None:
    """Whoever waits as many whole seconds as the header says is never early."""
    problem = refusals.of_outcome(Taken(by="reserved", retry_after_ms=1_001))
    assert problem.headers == {"Retry-After": "2"}
    assert problem.extras == {"retry_after_ms": 1_001}


def test_an_ended_reservation_tells_how_and_when() -> None:
    """`state`, `ended_at` where known, `booking_id` where it was converted."""
    known = refusals.of_outcome(Ended(state="converted", ended_ms=at(1), booking_id="b"))
    unknown = refusals.of_outcome(Ended())
    assert known.extras == {
        "state": "converted",
        "ended_at": f"{DAY}T01:00:00.000Z",
        "booking_id": "b",
    }
    assert unknown.extras == {"state": "expired"}


async def test_a_missing_booking_has_timekits_shape(http: Http, stubs: Stubs) -> None:
    """Timekit's clients look at `error` and `model`."""
    stubs.bookings.will("booking", None)
    for name in ("read_booking", "act"):
        answer = await http(*ordinary.named(name))
        assert answer.status == 404
        assert answer.json["error"] == "Resource does not exist"
        assert answer.json["model"] == "Booking"


async def test_an_unavailable_dependency_changed_nothing(http: Http, stubs: Stubs) -> None:
    """503 with Retry-After and no doubt about the outcome; the reason is for the log."""
    error = UnavailableError("redis", "Redis does not answer.")
    stubs.reservations.will("reserve", error)
    answer = await http(*ordinary.named("reserve"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["detail"].startswith("The reservation store cannot do its part right now")
    assert b"Redis" not in answer.body
    assert "outcome" not in answer.json


async def test_an_unknown_outcome_is_said_to_be_unknown(http: Http, stubs: Stubs) -> None:
    """A lost answer is neither a yes nor a no, and repeating is the way to find out."""
    stubs.bookings.will("book", OutcomeUnknownError("store", "The reply to COMMIT is lost."))
    answer = await http(*ordinary.named("book"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["outcome"] == "unknown"
    assert "Repeat the request" in answer.json["detail"]


def test_the_docs_list_every_code() -> None:
    """docs/errors.md has one row a code, in order, and says what PROBLEMS says."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    table = [(code, str(kind.status), kind.meaning) for code, kind in PROBLEMS.items()]
    assert rows == table
