"""From a query string to a `BookingQuery`.

The grammar of `search` (docs/http.md): pairs `field:value`, joined by semicolons. A value, or the
key of a `meta.<key>`, may be quoted; inside quotes every character stands for itself, and two
quotes stand for one.
"""

import re
from collections.abc import Iterator

from aiohttp import web

from reservesvc.api import listing
from reservesvc.api.decoding import Errors
from reservesvc.api.listing import Page
from reservesvc.api.problems import RefusedError, invalid
from reservesvc.api.query import moment
from reservesvc.domain.booking import ORDER_FIELDS, SEARCH_FIELDS, BookingQuery

DIRECTIONS = {"asc": False, "desc": True}
SEARCH = "search"
QUOTED = r'"(?:[^"]|"")*"'
"""a value or a key in quotes, as a regular expression for Python and for OpenAPI"""
_META = "meta."
_RULE = (
    "must be field:value pairs joined by semicolons; a value with a semicolon stands in double "
    f"quotes, and a quote inside them is doubled; fields: {', '.join(SEARCH_FIELDS)}, meta.<key>"
)
# Each piece is possessive: what follows it begins with another character, so going back over it
# finds nothing.
_PAIR = re.compile(
    rf"\s*+(?P<field>meta\.{QUOTED}|[^:;]*+):"
    rf'\s*+(?P<value>{QUOTED}|(?!")[^;]*+)\s*+(?:;|\Z)'
)
_BLANK = re.compile(r"[\s;]*+")


def query(request: web.BaseRequest) -> tuple[BookingQuery, Page]:
    """Return which bookings the request asks for, and which page of them.

    Raises:
        RefusedError: 422, naming every parameter that is wrong.

    """
    errors: Errors = {}
    page = listing.read(request, errors)
    searches = request.query.getall(SEARCH, ())
    found = BookingQuery(
        search=tuple(pair for text in searches for pair in pairs(text, errors)),
        start_ms=moment(request, "start", errors),
        end_ms=moment(request, "end", errors),
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


def pairs(text: str, errors: Errors) -> Iterator[tuple[str, str]]:
    """Return the fields and values of one `search`; what is wrong goes into `errors`."""
    at = _end_of(_BLANK.match(text))
    while at < len(text):
        found = _PAIR.match(text, at)
        name = _field(found["field"]) if found else None
        if found is None or name is None or "\0" in found[0]:
            errors[SEARCH] = [f"{SEARCH} {_RULE}"]
            return
        yield name, _unquoted(found["value"].strip())
        at = _end_of(_BLANK.match(text, found.end()))


def _end_of(found: re.Match[str] | None) -> int:
    return found.end() if found else 0


def _field(written: str) -> str | None:
    """Return the field's name, or None where there is no such field."""
    name = written.strip()
    if name in SEARCH_FIELDS:
        return name
    key = name.removeprefix(_META)
    if not name.startswith(_META) or not key:
        return None
    return _META + _unquoted(key)


def _unquoted(written: str) -> str:
    """Return the text that is written, in quotes or without."""
    if not re.fullmatch(QUOTED, written):
        return written
    return written[1:-1].replace('""', '"')


def _choice(
    request: web.BaseRequest, name: str, choices: tuple[str, ...], errors: Errors
) -> str | None:
    choice = request.query.get(name)
    if choice is not None and choice not in choices:
        errors[name] = [f"{name} must be one of: {', '.join(choices)}"]
    return choice
