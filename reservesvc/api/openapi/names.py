"""Names of calls and schemas in the document: generated clients turn them into code."""

import re
from collections.abc import Iterable

PREFIX = "#/components/schemas/"
_CALLS = {
    "reserve": "reserve_slot",
    "live": "find_reservations",
    "extend": "extend_reservation",
    "read": "read_reservation",
    "release": "release_reservation",
    "book": "book_slot",
    "reschedule": "reschedule_booking",
    "act": "act_on_booking",
    "availability": "search_availability",
    "embed_project": "read_embedded_project",
    "hosted_project": "read_hosted_project",
    "livez": "read_liveness",
    "readyz": "read_readiness",
    "metrics": "read_metrics",
    "openapi": "read_openapi",
    "docs": "read_docs",
}
"""name of a route → what the call does, where the route's name is no verb with its object"""
_GENERIC = {"Data": "{}Response", "Several": "{}List", "Page": "{}Page"}
"""generic struct → the name of its schema, around the name of what it is made of"""
_MADE_OF = re.compile(r"(\w+?)_(\w+?)_")
"""how msgspec names the schema of `Data[Booking]`"""


def operation_id(route_name: str) -> str:
    """Return the operationId of a call, such as `reserveSlot`."""
    first, *others = _CALLS.get(route_name, route_name).split("_")
    return first + pascal(others)


def pascal(words: Iterable[str]) -> str:
    """Return words as one word, such as `NotFound`."""
    return "".join(word[:1].upper() + word[1:] for word in words)


def of_schema(name: str) -> str:
    """Return what a schema is called, given msgspec's name for it."""
    made_of = _MADE_OF.fullmatch(name)
    return _GENERIC[made_of[1]].format(made_of[2]) if made_of else name


def reference(name: str) -> dict[str, str]:
    """Return a reference to the schema with this name."""
    return {"$ref": PREFIX + name}
