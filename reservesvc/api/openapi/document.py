"""The OpenAPI 3.1 document: the URL table and what the other tables say of its rows."""

import inspect
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from reservesvc import __version__
from reservesvc.api import replies
from reservesvc.api.call import Route
from reservesvc.api.openapi import names, parameters
from reservesvc.api.openapi.answers import HEADERS, REPLAYED_HEADER, Answers
from reservesvc.api.openapi.components import Components
from reservesvc.api.openapi.examples import EXAMPLES, Example
from reservesvc.api.openapi.fields import Schema
from reservesvc.api.openapi.operations import OPERATIONS, UNKNOWN, Operation
from reservesvc.domain.wish import Limits

_ABOUT = (
    "Holds a time slot for a short while and hands it off to a booking store. Unknown fields are "
    "ignored, null is as good as left out where it is allowed, and U+0000 is refused everywhere. "
    "A trailing slash is tolerated, and what answers to GET answers to HEAD."
)
_TAGS = {
    "/v2/bookings/reserve": ("Reservations", "Hold slots for a short while."),
    "/v2/bookings": ("Bookings", "Hand reservations off, or book directly; change bookings."),
    "/v2/availability": ("Availability", "Find the slots that are free."),
    "/v2/projects": ("Projects", "Sets of defaults that requests name with `project_id`."),
    "/v2/resources": ("Resources", "The things that are booked."),
    "/": ("Operations", "For those who run the service."),
}
"""how a path begins → what its calls are about; the first that fits"""
_SERVERS = [
    {"url": "/", "description": "The server that this document comes from."},
    {"url": "http://127.0.0.1:8080", "description": "A server started with `make run`."},
]
_LICENSE = {"name": "MIT", "identifier": "MIT"}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "the key"},
    "basic": {"type": "http", "scheme": "basic", "description": "the key as password, any user"},
}
_BODY_CODES = (
    "malformed_json",
    "request_timeout",
    "payload_too_large",
    "unsupported_encoding",
    "invalid_fields",
)
_PART_CODES = {"reservation_id": "reservation_not_found"}
"""part of a path → the problem where nothing has it; `not_found` for the others"""
_encode = msgspec.json.Encoder().encode


def document(routes: Sequence[Route], limits: Limits) -> dict[str, Any]:
    """Return the document.

    Args:
        routes: the calls to describe.
        limits: how much a request may ask for.

    """
    rows = {route.name: OPERATIONS.get(route.name, UNKNOWN) for route in routes}
    components, answers = Components(rows, limits), Answers()
    paths: dict[str, Schema] = {}
    for route in routes:
        described = _operation(route, rows[route.name], components, answers)
        paths.setdefault(route.path, {})[route.method.lower()] = described
    used = _encode([paths, answers.schemas]).decode()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "reservesvc",
            "version": __version__,
            "description": _ABOUT,
            "license": _LICENSE,
        },
        "servers": _SERVERS,
        "tags": [{"name": name, "description": about} for name, about in _TAGS.values()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted((components.named(used) | answers.schemas).items())),
            "responses": answers.named,
            "securitySchemes": _SCHEMES,
        },
    }


def _operation(
    route: Route, operation: Operation, components: Components, answers: Answers
) -> Schema:
    example = EXAMPLES.get(route.name)
    operation_id = names.operation_id(route.name)
    summary, _, more = (inspect.getdoc(route.handler) or "").partition("\n")
    described: Schema = {
        "operationId": operation_id,
        "tags": [next(tag for start, (tag, _) in _TAGS.items() if route.path.startswith(start))],
        "summary": summary.removesuffix("."),
        "description": " ".join([*more.split(), _need(route)]),
        "security": [] if route.scope == "public" else [{name: [route.scope]} for name in _SCHEMES],
        "parameters": _parameters(route, example),
        "responses": _successes(route, operation, components, example)
        | answers.of(operation_id, _codes(route, operation)),
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.optional,
            "content": {
                replies.JSON: _media(components.body(route.name), example and example.body)
            },
        }
    return described


def _parameters(route: Route, example: Example | None) -> list[Schema]:
    given = {**example.parts, **example.query} if example else {}
    return [
        each | ({"example": _read(given[each["name"]], each)} if each["name"] in given else {})
        for each in parameters.of(route)
    ]


def _read(given: str | list[str], parameter: Schema) -> str | int | list[str]:
    """Return the value that a parameter's text stands for."""
    if isinstance(given, str) and parameter["schema"].get("type") == "integer":
        return int(given)
    return given


def _need(route: Route) -> str:
    """Return which key a call needs."""
    if route.scope == "public":
        return "Needs no key."
    return f"Needs a key of scope `{route.scope}`, where the server has keys."


def _successes(
    route: Route, operation: Operation, components: Components, example: Example | None
) -> dict[str, Schema]:
    found = {}
    for status, kind in sorted(operation.replies.items()):
        answer: Schema = {"description": HTTPStatus(status).phrase, "headers": dict(HEADERS)}
        if route.takes_key and route.writes:
            answer["headers"] |= REPLAYED_HEADER
        if status != HTTPStatus.NO_CONTENT:
            schema = {"type": "string"} if kind is None else components.of(kind)
            shown = example.reply if example and example.status == status else None
            answer["content"] = {operation.media: _media(schema, shown)}
        found[str(status)] = answer
    return found


def _codes(route: Route, operation: Operation) -> Iterable[str]:
    """Return the codes of the problems that a call may answer."""
    # Any call refuses a parameter that it does not know.
    found = ["internal_error", "invalid_fields", *operation.codes]
    if route.scope != "public":
        found += ["repeated_header", "unauthorized", "forbidden", "unavailable"]
    if operation.body is not None:
        found += _BODY_CODES
    if route.takes_key:
        found.append("idempotency_key_invalid")
    if route.takes_key and route.writes:
        found.append("idempotency_key_reused")
    found += [_PART_CODES.get(part, "not_found") for part in parameters.parts(route)]
    return dict.fromkeys(found)


def _media(schema: Schema, example: object) -> Schema:
    return {"schema": schema} | ({} if example is None else {"example": example})
