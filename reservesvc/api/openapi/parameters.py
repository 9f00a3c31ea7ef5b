"""What stands in paths, query strings and headers."""

import re

from reservesvc.api import idempotency, search
from reservesvc.api.call import Route
from reservesvc.api.listing import LIMIT_DEFAULT, LIMIT_MAX, PAGE_MAX
from reservesvc.api.openapi.fields import ID, RESERVATION_ID, TIME, UUID, Schema
from reservesvc.api.openapi.names import reference
from reservesvc.api.project_fields import SLUG
from reservesvc.domain.booking import ORDER_FIELDS, SEARCH_FIELDS

_PART = re.compile(r"\{(\w+)\}")
_NAMES = "|".join([*map(re.escape, SEARCH_FIELDS), rf"meta\.({search.QUOTED}|[^:;]+)"])
_VALUE = rf'({search.QUOTED}|[^";][^;]*)?'
_SEARCH = (
    "field:value pairs that must all match, joined by semicolons or each in a parameter of its "
    f"own; fields: {', '.join(SEARCH_FIELDS)}, meta.<key>. A value with a semicolon stands in "
    "double quotes, and a quote inside them is doubled"
)
_PARTS: dict[str, tuple[Schema, str]] = {
    "reservation_id": (RESERVATION_ID, "as reserving answered it"),
    "booking_id": (UUID, "as booking answered it"),
    "project_id": ({"type": "string"}, "as creating the project answered it"),
    "resource_id": (ID, "registered or not"),
    "slug": ({"type": "string", "pattern": f"^{SLUG.pattern}$"}, "the project's slug"),
    "action": (
        reference("BookingAction"),
        "one of the booking's possible_actions",
    ),
}
_QUERY: dict[str, tuple[Schema, str]] = {
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        "how many items a page has",
    ),
    "page": ({"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 1}, "from 1"),
    "resource_id": (ID, "whose reservations"),
    "search": (
        {
            "type": "array",
            "items": {"type": "string", "pattern": f"^(({_NAMES}):{_VALUE}(;|$))*$"},
        },
        _SEARCH,
    ),
    "start": (TIME, "only what ends after it"),
    "end": (TIME, "only what starts before it"),
    "orderBy": ({"type": "string", "enum": list(ORDER_FIELDS)}, "created_at where left out"),
    "sortedBy": ({"type": "string", "enum": list(search.DIRECTIONS)}, "desc where left out"),
}
_REQUIRED = ("resource_id",)
"""parameters of a query without which there is no answer"""
_KEY: Schema = {
    "name": str(idempotency.HEADER),
    "in": "header",
    "required": False,
    "description": "the same key with the same body has one effect",
    "schema": {
        "type": "string",
        "pattern": "^[!-~]([ -~]*[!-~])?$",
        "maxLength": idempotency.LENGTH_MAX,
    },
}


def parts(route: Route) -> list[str]:
    """Return the names of the parts of a route's path."""
    return _PART.findall(route.path)


def of(route: Route) -> list[Schema]:
    """Return the parameters of a call."""
    found = [
        _parameter("path", name, *_PARTS.get(name, ({"type": "string"}, "")))
        for name in parts(route)
    ]
    found += [_parameter("query", name, *_QUERY[name]) for name in route.query or ()]
    return found + ([_KEY] if route.takes_key else [])


def _parameter(place: str, name: str, schema: Schema, description: str) -> Schema:
    return {
        "name": name,
        "in": place,
        "required": place == "path" or name in _REQUIRED,
        "description": description,
        "schema": schema,
    }
