"""`/v2/bookings/reserve/batch`: many reservations in one request."""

from functools import partial
from typing import NamedTuple

import msgspec

from reservesvc.api import problems, refusals, render, replies, schemas, unknown, wishes
from reservesvc.api.call import Call
from reservesvc.api.decoding import as_object
from reservesvc.api.idempotency import REPLAYED
from reservesvc.api.problems import Problem, RefusedError, invalid
from reservesvc.api.replies import Reply
from reservesvc.domain.outcomes import CartReserved, Reserved
from reservesvc.domain.wish import REQUIRED, Wish
from reservesvc.flow import batch as flow_batch
from reservesvc.ports import Idempotency

ITEMS_MAX = 1_000
BODY_BYTES_MAX = 1_048_576
MODES = ("independent", "all_or_nothing")


class BatchBody(msgspec.Struct, kw_only=True):
    """The body; its items are decoded one by one, so that every one has its own errors."""

    mode: str | None = None
    reservations: list[msgspec.Raw] | None = None


_decode = msgspec.json.Decoder(unknown.strict(BatchBody)).decode
_decode_any_names = msgspec.json.Decoder(BatchBody).decode
_encode = msgspec.json.Encoder().encode


class _Batch(NamedTuple):
    """What is asked for."""

    mode: str
    wishes: list[Wish]


async def reserve_batch(call: Call) -> Reply:
    """Hold many slots, each for itself or all or none."""
    call.verb = "reserve_batch"
    body = await call.body()
    key = call.idempotency()
    batch = _read(call, body)
    if batch.mode == "independent":
        return await _each(call, batch.wishes, key)
    return await _all(call, batch.wishes, key)


async def _each(call: Call, asked: list[Wish], key: Idempotency | None) -> Reply:
    """Answer 200 with the end of every item in its place."""
    ends = await flow_batch.reserve_each(call.stores, call.limits, asked, key)
    call.outcome = "answered"
    return replies.raw(b'{"data":[' + b",".join([_item(call, end) for end in ends]) + b"]}")


async def _all(call: Call, asked: list[Wish], key: Idempotency | None) -> Reply:
    """Answer 201 with every reservation, or with what kept all of them from being made."""
    outcome = await flow_batch.reserve_all(call.stores, call.limits, asked, key)
    if not isinstance(outcome, CartReserved):
        return call.refuse(outcome)
    call.outcome = "replayed" if outcome.replayed else "reserved"
    items = b",".join(map(render.reservation, outcome.reservations))
    return replies.raw(b'{"data":[' + items + b"]}", 201, REPLAYED if outcome.replayed else None)


def _item(call: Call, end: flow_batch.Each) -> bytes:
    if isinstance(end, Reserved):
        call.context.metrics.reservation("reserve", "replayed" if end.replayed else "reserved")
        return b'{"status":201,"data":' + render.reservation(end.reservation) + b"}"
    problem = _problem(end)
    call.context.metrics.reservation("reserve", problem.code)
    return b'{"status":%d,"problem":%b}' % (problem.status, problems.body(problem))


def _problem(end: flow_batch.Each) -> Problem:
    if isinstance(end, Exception):
        return refusals.of_exception(end, writes=True)
    return refusals.of_outcome(end)  # type: ignore[arg-type]  # Reserved was answered above


def _read(call: Call, body: bytes) -> _Batch:
    """Return what `body` asks for.

    Raises:
        RefusedError: 400, it is no JSON object; 422, it is no batch.

    """
    try:
        if not body.isascii():
            body.decode()  # the typed decoder skips over unknown fields unread
        batch = _decoded(call, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        as_object(body)
        rule = f"must be a list of 1 to {ITEMS_MAX} objects, and mode a string"
        raise RefusedError(invalid({"reservations": [f"reservations {rule}"]})) from None
    errors = {}
    if batch.mode not in MODES:
        rule = REQUIRED if batch.mode is None else "is unknown"
        errors["mode"] = [f"mode {rule}; it is one of: {', '.join(MODES)}"]
    items = batch.reservations or []
    if not 1 <= len(items) <= ITEMS_MAX:
        errors["reservations"] = [f"reservations must be a list of 1 to {ITEMS_MAX} objects"]
    if errors or batch.mode is None:
        raise RefusedError(invalid(errors))
    return _Batch(batch.mode, [_wish(call, bytes(item), n) for n, item in enumerate(items)])


def _decoded(call: Call, body: bytes) -> BatchBody:
    try:
        return _decode(body)  # type: ignore[return-value]  # a strict kind of it
    except msgspec.ValidationError:
        call.ignore(unknown.names(BatchBody, body))
        return _decode_any_names(body)


def _wish(call: Call, item: bytes, place: int) -> Wish:
    ignore = partial(call.ignore, prefix=f"reservations.{place}.")
    try:
        return wishes.to_reserve(schemas.RESERVE.decode(item, ignore))
    except RefusedError as error:
        return Wish(errors={"item": [error.problem.detail]})
