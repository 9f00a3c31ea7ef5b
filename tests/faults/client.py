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

    async def _send(
        self, op: Op, method: str, path: str, body: object, *, hang_up_s: float | None = None
    ) -> Op:
        """Send `op`; the client is gone after `hang_up_s`."""
        headers = {"Idempotency-Key": op.key} if op.key else {}
        try:
            async with (
                asyncio.timeout(hang_up_s),
                self._session.request(
                    method, self._urls[op.server] + path, json=body, headers=headers
                ) as reply,
            ):
                content = await reply.read()
        except (ClientError, TimeoutError, OSError) as error:
            op.given_up = hang_up_s is not None and isinstance(error, TimeoutError)
            op.detail = type(error).__name__
        else:
            op.status = reply.status
            op.says_when = "Retry-After" in reply.headers
            _note(op, json.loads(content) if content else {})
        op.done_s = asyncio.get_running_loop().time()
        return op


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


def _slot(slot: Slot) -> dict[str, object]:
    return {
        "resource_id": slot.resource_id,
        "start": times.render(slot.start_ms),
        "end": times.render(slot.end_ms),
    }


def _one(held: Op) -> str:
    return f"/v2/bookings/reserve/{held.reservation_id}"
