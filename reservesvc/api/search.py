"""From a query string to a `BookingQuery`."""

from aiohttp import web

from reservesvc.api import listing
from reservesvc.api.decoding import Errors
from reservesvc.api.listing import Page
from reservesvc.api.problems import RefusedError, invalid
from reservesvc.domain import times
from reservesvc.domain.booking import ORDER_FIELDS, SEARCH_FIELDS, BookingQuery

DIRECTIONS = {"asc": False, "desc": True}
_META = "meta."
_SEARCH_RULE = (
    "must be field:value pairs joined by semicolons; fields: "
    f"{', '.join(SEARCH_FIELDS)}, meta.<key>"
)
_SECONDS_END = len("2026-12-01T10:00:00")


def query(request: web.BaseRequest) -> tuple[BookingQuery, Page]:
    """Return which bookings the request asks for, and which page of them.

    Raises:
        RefusedError: 422, naming every parameter that is wrong.

    """
    errors: Errors = {}
    page = listing.read(request, errors)
    found = BookingQuery(
        search=_search(request.query.get("search", ""), errors),
        start_ms=_moment(request, "start", errors),
        end_ms=_moment(request, "end", errors),
        order_by=_choice(request, "orderBy", ORDER_FIELDS, errors) or "created_at",
        descending=DIRECTIONS.get(
            _choice(request, "sortedBy", tuple(DIRECTIONS), errors) or "desc", True
        ),
        limit=page.limit,
        offset=page.offset,
    )
    if errors:
        raise RefusedError(invalid(errors))
    return found, page


def _search(text: str, errors: Errors) -> tuple[tuple[str, str], ...]:
    pairs = []
    for piece in filter(None, (piece.strip() for piece in text.split(";"))):
        name, colon, value = piece.partition(":")
        known = name in SEARCH_FIELDS or (name.startswith(_META) and name != _META)
        if not known or not colon or "\0" in piece:
            errors["search"] = [f"search {_SEARCH_RULE}"]
        pairs.append((name, value))
    return tuple(pairs)


def _moment(request: web.BaseRequest, name: str, errors: Errors) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    # A plus sign that nobody escaped arrives as a space; behind the seconds it can only have
    # been the offset's.
    text = text[:_SECONDS_END] + text[_SECONDS_END:].replace(" ", "+")
    moment_ms = times.parse(text)
    if moment_ms is None:
        errors[name] = [f"{name} {times.TIME_RULE}"]
    return moment_ms


def _choice(
    request: web.BaseRequest, name: str, choices: tuple[str, ...], errors: Errors
) -> str | None:
    choice = request.query.get(name)
    if choice is not None and choice not in choices:
        errors[name] = [f"{name} must be one of: {', '.join(choices)}"]
    return choice
