"""Whether a server does the work: what it grants, refuses and answers, before it is measured."""

import http.client
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks import slots
from benchmarks.errors import BenchmarkError
from benchmarks.processes import HOST
from benchmarks.servers import Server
from benchmarks.slots import Slots

PATH = "/v2/bookings/reserve"
_TIMEOUT_S = 10.0
CREATED, CONFLICT = 201, 409
REFUSED = (400, 422)
FIELDS = {
    "id",
    "reservation_id",
    "resource_id",
    "project_id",
    "start",
    "end",
    "duration",
    "quantity",
    "what",
    "where",
    "description",
    "customer",
    "graph",
    "created_at",
    "expires_at",
    "remaining_ms",
    "lifetime_ms",
    "server_time",
}
WRONG: dict[str, object] = {
    "resource_id": "-starts-with-a-dash",
    "start": slots.rfc3339(slots.BASE).removesuffix("Z"),
    "end": slots.rfc3339(slots.BASE - timedelta(days=1)),
    "duration": 86_401,
    "what": 1,
    "where": None,
    "description": ["text"],
    "customer": {"name": 1},
    "graph": "no-such-graph",
    "quantity": 0,
}
"""one value for each field, because of which the request must be refused"""
MORE_WRONG: tuple[tuple[str, object], ...] = (
    ("resource_id", "r" * 129),
    ("start", "today"),
    ("end", slots.rfc3339(slots.BASE + timedelta(days=366))),
    ("duration", 0),
    ("duration", "60"),
    ("customer", "Ada"),
)


class Reply(Struct, frozen=True):
    """An HTTP reply."""

    status: int
    body: Any


def post(port: int, path: str, body: object) -> Reply:
    """Send one request."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {slots.KEY}"}
    try:
        connection.request("POST", path, msgspec.json.encode(body), headers)
        reply = connection.getresponse()
        content = reply.read()
    finally:
        connection.close()
    return Reply(reply.status, _json(content))


def check(server: Server, taken: Slots) -> None:
    """Hold a server to the interface.

    Raises:
        BenchmarkError: it grants, refuses or answers otherwise than the service does.

    """
    body = slots.body(taken.take())
    granted = post(server.port, PATH, body)
    _demand(server, granted.status == CREATED, "a free slot", granted)
    if not server.kind.checks:
        return
    data = granted.body["data"]
    _demand(server, set(data) == FIELDS, "a free slot, by its fields", granted)
    asked = {name: data[name] for name in body if name not in {"start", "end"}}
    is_same = asked == {name: body[name] for name in asked}
    _demand(server, is_same, "a free slot, by its values", granted)
    again = post(server.port, PATH, body)
    _demand(server, again.status == CONFLICT, "a taken slot", again)
    for name, value in (*WRONG.items(), *MORE_WRONG):
        refused = post(server.port, PATH, slots.body(taken.take()) | {name: value})
        _demand(server, refused.status in REFUSED, f"{name} = {value!r}", refused)


def prime(server: Server, taken: Slots) -> None:
    """Reserve a slot of each resource, so that no index is cold when the load begins."""
    first = taken.skip(slots.RESOURCES)
    for slot in range(first, first + slots.RESOURCES):
        reply = post(server.port, PATH, slots.body(slot))
        _demand(server, reply.status == CREATED, "a free slot", reply)


def _demand(server: Server, is_right: bool, asked: str, reply: Reply) -> None:  # noqa: FBT001  a verdict
    if not is_right:
        message = f"{server.kind.label} answers {reply.status} {reply.body} to {asked}"
        raise BenchmarkError(message)


def _json(content: bytes) -> Any:  # noqa: ANN401  whatever JSON can say
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content.decode(errors="replace")
