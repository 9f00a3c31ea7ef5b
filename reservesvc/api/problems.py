"""Problems: the one table of error codes, and how an error reads on the wire (RFC 9457)."""

from typing import Any, NamedTuple

import msgspec

from reservesvc.api.replies import Reply

CONTENT_TYPE = "application/problem+json"
RETRY_MS = 1_000
"""when to try again where nothing better is known"""


class Kind(NamedTuple):
    """One row of the table: what every problem with this code has in common."""

    status: int
    title: str
    meaning: str
    """one sentence for the docs"""


PROBLEMS = {
    "malformed_json": Kind(400, "Malformed JSON", "The body is not a JSON object in UTF-8."),
    "malformed_request": Kind(
        400, "Malformed request", "What arrived is not a valid HTTP/1.1 request."
    ),
    "idempotency_key_invalid": Kind(
        400,
        "Idempotency-Key invalid",
        "The key is not 1 to 255 printable characters, or was sent more than once.",
    ),
    "repeated_header": Kind(400, "Repeated header", "`Authorization` was sent more than once."),
    "unauthorized": Kind(401, "Key required", "The request has no key, or an unknown one."),
    "forbidden": Kind(403, "Scope too small", "The key's scope does not cover the call."),
    "origin_not_allowed": Kind(
        403, "Origin not allowed", "Pages of this origin may not call from a browser."
    ),
    "not_found": Kind(404, "Not found", "Nothing has this URL or this id."),
    "reservation_not_found": Kind(
        404, "Reservation not found", "The id is not one this service gives to reservations."
    ),
    "method_not_allowed": Kind(
        405, "Method not allowed", "The URL exists, but not for this method; `Allow` lists which."
    ),
    "request_timeout": Kind(408, "Request timeout", "The body did not arrive in time."),
    "slot_unavailable": Kind(
        409,
        "Slot unavailable",
        "A reservation or a booking is in the way; `retry_after_ms`: when a reservation lapses.",
    ),
    "seat_unavailable": Kind(
        409,
        "Seat unavailable",
        "The group has fewer `seats_left` than were asked for, or takes nobody in its state.",
    ),
    "cart_incomplete": Kind(
        409,
        "Cart incomplete",
        "Only a part of the cart that this Idempotency-Key made is held, for now or any more.",
    ),
    "handoff_in_progress": Kind(
        409, "Hand-off in progress", "The reservation is being turned into a booking right now."
    ),
    "slug_taken": Kind(409, "Slug taken", "Another project has this slug."),
    "id_taken": Kind(409, "Id taken", "A resource with this id is registered already."),
    "reservation_ended": Kind(
        410,
        "Reservation ended",
        "It is expired, released or converted: see `state`, `ended_at` and `booking_id`.",
    ),
    "payload_too_large": Kind(413, "Payload too large", "The body is larger than the limit."),
    "uri_too_long": Kind(414, "URI too long", "The request's target is longer than the limit."),
    "unsupported_encoding": Kind(
        415, "Unsupported encoding", "The body is compressed; send it as it is."
    ),
    "invalid_fields": Kind(422, "Invalid fields", "`errors` says what is wrong with each field."),
    "idempotency_key_reused": Kind(
        422, "Idempotency-Key reused", "The key came before, with another body."
    ),
    "slot_too_old": Kind(
        422, "Slot too old", "The slot ended longer ago than the service looks back."
    ),
    "slot_too_far": Kind(
        422, "Slot too far ahead", "The slot ends later than the service takes reservations for."
    ),
    "extension_limit": Kind(
        422, "Extension limit", "The reservation would outlive the longest life it may have."
    ),
    "reservation_mismatch": Kind(
        422, "Reservation mismatch", "A field of the hand-off disagrees with the reservation."
    ),
    "action_not_allowed": Kind(
        422, "Action not allowed", "The action is not open in the booking's state."
    ),
    "booking_not_final": Kind(
        422, "Booking not final", "Only a booking that is over can be deleted; end it first."
    ),
    "headers_too_large": Kind(
        431, "Headers too large", "A header line is too long, or there are too many."
    ),
    "internal_error": Kind(500, "Internal error", "The service failed; its log says why."),
    "unavailable": Kind(
        503,
        "Unavailable",
        "A dependency failed or was too slow; `outcome: unknown` marks a change that may have "
        "happened.",
    ),
    "http_version_not_supported": Kind(
        505, "HTTP version not supported", "The request is not of HTTP/1.0 or HTTP/1.1."
    ),
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One error reply.

    Args:
        code: a row of `PROBLEMS`.
        detail: what happened and what to do next, for people.
        errors: field → messages.
        extras: further members of the body; may replace `error`.
        headers: further headers of the reply.
        closes: whether the connection is of no more use.

    """

    code: str
    detail: str
    errors: dict[str, list[str]] | None = None
    extras: dict[str, Any] = {}
    headers: dict[str, str] = {}
    closes: bool = False

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return PROBLEMS[self.code].status


class RefusedError(Exception):
    """The request was refused before any verb of the flow saw it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


_encode = msgspec.json.Encoder().encode


def body(problem: Problem) -> bytes:
    """Return the problem as JSON.

    `type` is relative to the service (RFC 9457 section 3.1.1): the page that describes the
    code. `error` repeats `detail`, for that is what Timekit's clients show.
    """
    kind = PROBLEMS[problem.code]
    members: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "code": problem.code,
        "error": problem.detail,
    }
    if problem.errors is not None:
        members["errors"] = problem.errors
    members.update(problem.extras)
    return _encode(members)


def reply(problem: Problem) -> Reply:
    """Return the problem as a reply."""
    return Reply(
        problem.status, body(problem), problem.headers, CONTENT_TYPE, closes=problem.closes
    )


def retry_headers(retry_after_ms: int) -> dict[str, str]:
    """Return the `Retry-After` header: whole seconds, rounded up so that nobody is early."""
    return {"Retry-After": str(-(-retry_after_ms // 1000))}


def invalid(errors: dict[str, list[str]]) -> Problem:
    """Return the problem that names every bad field."""
    messages = "; ".join(message for listed in errors.values() for message in listed)
    return Problem(code="invalid_fields", detail=f"{messages}.", errors=errors)
