"""What the peers in Python share: the body's rules, the script's arguments, the reply.

Written as somebody would who starts from msgspec and the header of lua/reserve.lua, and
without any of the service's own modules: a peer must not get faster with the service.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from msgspec import Meta, Struct

from benchmarks.peers.settings import Script

SLOT_MAX = timedelta(days=31)
CUSTOMER_TEXTS = ("name", "email", "phone", "voip", "timezone")
GRAPHS = frozenset({"instant"})
ULID_CHARACTERS = 26

Moment = Annotated[datetime, Meta(tz=True)]
ResourceId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$")]
DurationS = Annotated[int, Meta(ge=1, le=86_400)]
Quantity = Annotated[int, Meta(ge=1, le=1)]


class Body(Struct, kw_only=True):
    """`POST /v2/bookings/reserve` for unregistered resources, whose capacity is 1."""

    start: Moment
    end: Moment
    resource_id: ResourceId
    what: str
    where: str
    description: str
    duration: DurationS = 30
    quantity: Quantity = 1
    graph: str = "instant"
    project_id: None = None
    customer: dict[str, Any] = {}


class Claim(Struct, kw_only=True):
    """A checked body under a new id."""

    id: str
    ulid: str
    resource_id: str
    start_ms: int
    end_ms: int
    duration_s: int
    head: dict[str, Any]
    """the document's fields that come first"""
    details: dict[str, Any]
    """and those that no script reads"""


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


def broken_rule(body: Body) -> str | None:
    """Return the rule that no type can state and that the body breaks."""
    if body.end <= body.start:
        return "end must be after start"
    if body.end - body.start > SLOT_MAX:
        return "end must be at most 31 days after start"
    if body.graph not in GRAPHS:
        return "graph must be one of: instant"
    for name in CUSTOMER_TEXTS:
        value = body.customer.get(name)
        if value is not None and not isinstance(value, str):
            return f"customer.{name} must be a string"
    return None


def claim_of(body: Body) -> Claim:
    """Return the claim that a checked body makes."""
    ulid = str(uuid4())[:ULID_CHARACTERS]
    reservation_id = f"{body.resource_id}.{ulid}"
    return Claim(
        id=reservation_id,
        ulid=ulid,
        resource_id=body.resource_id,
        start_ms=int(body.start.timestamp() * 1000),
        end_ms=int(body.end.timestamp() * 1000),
        duration_s=body.duration,
        head={"start": iso(body.start), "end": iso(body.end), "quantity": body.quantity},
        details={
            "id": reservation_id,
            "reservation_id": reservation_id,
            "resource_id": body.resource_id,
            "project_id": body.project_id,
            "duration": body.duration,
            "what": body.what,
            "where": body.where,
            "description": body.description,
            "customer": body.customer,
            "graph": body.graph,
        },
    )


def keys(claim: Claim) -> list[str]:
    """Return KEYS of lua/reserve.lua."""
    tag = "{" + claim.resource_id + "}"
    return [f"reservation:{tag}:{claim.ulid}", f"slots:{tag}", f"fence:{tag}", f"overlap:{tag}"]


def arguments(claim: Claim, script: Script) -> list[str | int | bytes]:
    """Return ARGV of lua/reserve.lua."""
    return [
        script.run,
        claim.start_ms,
        claim.end_ms,
        1,
        1,
        claim.duration_s * 1000,
        encode(claim.head | claim.details)[1:],
        script.past_ms,
        script.ahead_ms,
        script.index_ttl_ms,
        script.sweep,
    ]


def reply(claim: Claim, now_ms: int) -> dict[str, Any]:
    """Return the reply's JSON for a claim that was granted at `now_ms`."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    reservation = {
        "remaining_ms": claim.duration_s * 1000,
        "lifetime_ms": claim.duration_s * 1000,
        "server_time": iso(now),
        "expires_at": iso(now + timedelta(seconds=claim.duration_s)),
        "created_at": iso(now),
    }
    return {"data": reservation | claim.head | claim.details}


def iso(moment: datetime) -> str:
    """Return the moment as the interface writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
