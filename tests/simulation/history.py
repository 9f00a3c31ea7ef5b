"""The record of a run, which the checker judges and people read."""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec import Struct

from tests.simulation.plan import DAY_MS, Item

CLIENT, REDIS, STORE, FAULT = "client", "redis", "store", "fault"
_PADDING = re.compile(r"(?<=\.)0{6,}")
_TELLING = {
    "booking",
    "booking_id",
    "bookings",
    "by",
    "digest",
    "end_ms",
    "ended_ms",
    "entry",
    "expires_ms",
    "fence",
    "fingerprint",
    "id",
    "latest_ms",
    "nonce",
    "place",
    "quantity",
    "repeated",
    "replayed",
    "reservation",
    "reservation_id",
    "reservations",
    "retry_after_ms",
    "start_ms",
    "state",
    "ulid",
}
"""fields that decide something; the rest would only fill the line"""


class Step(NamedTuple):
    """Something that happened.

    `where` is `client` (a request or its answer), `redis` or `store` (a call at the moment it
    took effect) or `fault`.
    """

    ms: int
    number: int
    """of the item of the plan that it follows from"""
    server: str
    where: str
    name: str
    arguments: tuple[Any, ...]
    outcome: Any


def digest(history: Iterable[Step]) -> str:
    """Return what tells one history from another."""
    state = blake2b(digest_size=16)
    for step in history:
        state.update(repr(step).encode())
    return state.hexdigest()


def render(step: Step) -> str:
    """Return the step as a line for people."""
    arguments = ", ".join(brief(argument) for argument in step.arguments if argument is not None)
    outcome = "" if step.outcome is None else f" → {brief(step.outcome)}"
    head = f"{step.ms / 1000:8.3f} s  #{step.number:<4} {step.server:<5} {step.where:<6}"
    return f"{head} {step.name}({arguments}){outcome}"


def brief(value: object) -> str:
    """Return a value by what matters about it here; times as seconds into the simulated day."""
    match value:
        case Item():
            hours = f"{value.hour}–{value.hour + value.hours} h"
            return f"room-{value.resource} {hours} ×{value.quantity} for {value.duration_s} s"
        case Struct():
            fields = [f"{name}={brief(getattr(value, name))}" for name in _shown(value)]
            return f"{type(value).__name__}({', '.join(fields)})"
        case Exception():
            return f"{type(value).__name__}({value})"
        case list():
            return f"[{', '.join(map(brief, value))}]"
        case int() if value >= DAY_MS:
            return f"{(value - DAY_MS) / 1000:g}s"
        case _:
            return _PADDING.sub("", str(value))


def _shown(value: Struct) -> list[str]:
    names = value.__struct_fields__
    return [name for name in names if name in _TELLING and getattr(value, name) is not None]
