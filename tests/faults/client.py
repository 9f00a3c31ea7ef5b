"""A client: sends a request once, and writes down when, and what came back."""

import asyncio
import json
from collections.abc import Sequence
from itertools import count
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from reservesvc.domain import times
from tests.faults.history import History, Kind, Op, Slot

PATIENCE_S = 15.0
"""how long a client waits for an answer: longer than any server takes that is alive"""
CUSTOMER = {"name": "Ada", "email": "ada@example.com"}
TEXTS = {"what": "Haircut", "where": "Main street 1", "description": "Short"}


class Client:
    """Requests to any of the servers, each recorded in one history.

    Args:
        urls: of the servers.
        history: where to record.

    """

    def __init__(self, urls: Sequence[str], history: History) -> None:
        self._urls = urls
        self.history = history
        self._numbers = count(1)
        self._session = ClientSession(
            connector=TCPConnector(limit=0), timeout=ClientTimeout(total=PATIENCE_S)
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def reserve(
        self, slot: Slot, duration_s: int, *, server: int = 0, key: str = "", **how: Any
    ) -> Op:
        """Reserve `slot`."""
        body = _slot(slot) | TEXTS | {"duration": duration_s}
        op = self._op("reserve", slot, server, key=key, duration_s=duration_s)
        return await self._send(op, "POST", "/v2/bookings/reserve", body, **how)

    async def batch(
        self,
        slots: Sequence[Slot],
        duration_s: int,
        *,
        cart: bool,
        server: int = 0,
        key: str = "",
        **how: Any,
    ) -> list[Op]:
        """Reserve many slots in one request: all or none if it is a cart, else each for itself."""
        ops = [
            self._op(
                "reserve",
                slot,
                server,
                key=f"{key}-{place}" if key else "",
                duration_s=duration_s,
                cart=cart,
            )
            for place, slot in enumerate(slots)
        ]
        items = [_slot(slot) | TEXTS | {"duration": duration_s} for slot in slots]
        mode = "all_or_nothing" if cart else "independent"
        body = {"mode": mode, "reservations": items}
        path = "/v2/bookings/reserve/batch"
        answer = await self._exchange(ops, "POST", path, body, key=key, **how)
        for place, op in enumerate(ops if answer else ()):
            _note_item(op, answer, place)
        return ops

    async def extend(self, held: Op, duration_s: int, *, server: int = 0, **how: Any) -> Op:
        """Extend the reservation that `held` reserved."""
        body = {"reservation_id": held.reservation_id, "duration": duration_s}
        op = self._op("extend", held.slot, server, held.reservation_id, duration_s=duration_s)
        return await self._send(op, "PUT", "/v2/bookings/reserve/extend", body, **how)

    async def release(self, held: Op, *, server: int = 0, **how: Any) -> Op:
        """Release the reservation that `held` reserved."""
        op = self._op("release", held.slot, server, held.reservation_id)
        return await self._send(op, "DELETE", _one(held), None, **how)

    async def read(self, held: Op, *, server: int = 0, **how: Any) -> Op:
        """Read the reservation that `held` reserved."""
        op = self._op("read", held.slot, server, held.reservation_id)
        return await self._send(op, "GET", _one(held), None, **how)

    async def hand_off(self, held: Op, *, server: int = 0, **how: Any) -> Op:
        """Book what `held` reserved."""
        body = {"reservation_id": held.reservation_id, "customer": CUSTOMER}
        op = self._op("hand_off", held.slot, server, held.reservation_id)
        return await self._send(op, "POST", "/v2/bookings", body, **how)

    async def book(
        self, slot: Slot, what: str, *, server: int = 0, key: str = "", **how: Any
    ) -> Op:
        """Book `slot` directly; `what` names the request and its repeats."""
        body = _slot(slot) | TEXTS | {"what": what, "customer": CUSTOMER}
        op = self._op("book", slot, server, key=key, what=what)
        return await self._send(op, "POST", "/v2/bookings", body, **how)

    async def cancel(self, booked: Op, *, server: int = 0, **how: Any) -> Op:
        """Cancel what `booked` booked."""
        op = self._op("cancel", booked.slot, server, booked.booking_id)
        return await self._send(op, "PUT", f"/v2/bookings/{booked.booking_id}/cancel", None, **how)

    async def request(self, server: int, method: str, path: str, body: object = None) -> int:
        """Send a request that is no part of the history; return its status, 0 without one."""
        try:
            async with self._session.request(
                method, self._urls[server] + path, json=body, timeout=ClientTimeout(total=3)
            ) as reply:
                await reply.read()
                return reply.status
        except (ClientError, TimeoutError, OSError):
            return 0

    def _op(self, kind: Kind, slot: Slot, server: int, subject: str = "", **fields: Any) -> Op:
        op = Op(
            number=next(self._numbers),
            kind=kind,
            slot=slot,
            server=server,
            subject=subject,
            sent_s=asyncio.get_running_loop().time(),
            **fields,
        )
        self.history.ops.append(op)
        return op

    async def _send(self, op: Op, method: str, path: str, body: object, **how: Any) -> Op:
        """Send `op` and write down its answer."""
        answer = await self._exchange([op], method, path, body, key=op.key, **how)
        if op.status:
            _note(op, answer)
        return op

    async def _exchange(
        self,
        ops: Sequence[Op],
        method: str,
        path: str,
        body: object,
        *,
        key: str = "",
        hang_up_s: float | None = None,
    ) -> dict[str, Any]:
        """Send a request that is all of `ops`; return the answer, empty where there is none.

        The client is gone after `hang_up_s`.
        """
        headers = {"Idempotency-Key": key} if key else {}
        status, says_when, content, error = 0, False, b"", ""
        given_up = False
        try:
            async with (
                asyncio.timeout(hang_up_s),
                self._session.request(
                    method, self._urls[ops[0].server] + path, json=body, headers=headers
                ) as reply,
            ):
                content = await reply.read()
                status, says_when = reply.status, "Retry-After" in reply.headers
        except (ClientError, TimeoutError, OSError) as failure:
            given_up = hang_up_s is not None and isinstance(failure, TimeoutError)
            error = type(failure).__name__
        for op in ops:
            op.status, op.says_when, op.given_up, op.detail = status, says_when, given_up, error
            op.done_s = asyncio.get_running_loop().time()
        return _parsed(content)


def _parsed(content: bytes) -> dict[str, Any]:
    """Return the object that was answered; what is no JSON is an error without a code."""
    try:
        answer: dict[str, Any] = json.loads(content) if content else {}
    except ValueError:
        return {"code": "", "detail": content.decode(errors="replace")}
    return answer


def _note(op: Op, body: dict[str, Any]) -> None:
    """Write down what the answer says."""
    if not op.granted:
        op.code, op.detail = body["code"], body["detail"]
        op.unknown = body.get("outcome") == "unknown"
        return
    data = body.get("data", {})
    if op.kind in ("hand_off", "book", "cancel"):
        op.booking_id = data["id"]
    op.reservation_id = data.get("reservation_id", "")
    op.remaining_ms = data.get("remaining_ms", 0)


def _note_item(op: Op, answer: dict[str, Any], place: int) -> None:
    """Write down what the answer says about the item in its place."""
    if "data" not in answer:
        _note(op, answer)
        if op.code == "slot_unavailable" and answer["item"] != place:
            op.code = "cart_refused"  # this one was not in the way
    elif op.cart:
        _note(op, {"data": answer["data"][place]})
    else:
        item = answer["data"][place]
        op.status = item["status"]
        op.says_when = op.status == 503
        _note(op, item.get("problem") or {"data": item["data"]})


def _slot(slot: Slot) -> dict[str, object]:
    return {
        "resource_id": slot.resource_id,
        "start": times.render(slot.start_ms),
        "end": times.render(slot.end_ms),
    }


def _one(held: Op) -> str:
    return f"/v2/bookings/reserve/{held.reservation_id}"
