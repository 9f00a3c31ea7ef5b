"""Claims as bytes: what the service's own store sends to Redis, ready to be sent again.

One claim is recorded from the store; copies differ in id, resource and slot, all of which
have a fixed width. So these rows measure whatever the store sends today.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from benchmarks import slots
from reservesvc.domain import times
from reservesvc.domain.wish import Terms
from reservesvc.errors import UnavailableError
from reservesvc.flow.reserve import claim_for
from reservesvc.ids import RandomIds
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.packed import Argument, Packed, bulk, pack
from reservesvc.reservations.scripts import Script
from reservesvc.reservations.store import RedisReservations, Times

BASE_MS = int(slots.BASE.timestamp() * 1000)
LENGTH_MS = int(slots.LENGTH.total_seconds() * 1000)
MINUTE_MS = 60_000
RESOURCE_ID = "room-0"
"""the resource of all rows that need but one; others must have names as long"""
_ULID = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
_START_MS, _END_MS = 4_468_000_000_123, 4_468_000_059_321
HEAD_BYTES = len('{"expires_at":"","created_at":"",') + 2 * times.WIDTH
"""what the script puts in front of the document it is sent"""


class Claims:
    """Makes EVALSHA commands for one run of a Redis server.

    Args:
        run: of the server, as the fence key names it.
        document_bytes: length of the value that Redis is to keep, cut to it or filled up, for
            no script reads its end; None for the JSON of the wrk runs.

    """

    def __init__(self, run: str, document_bytes: int | None = None) -> None:
        recorder = _Recorder(run, document_bytes)
        recorder.record()
        self.document_bytes = recorder.document_bytes
        self.script = recorder.script
        self._template = _with_places(recorder.frame)
        self._made = 0

    def claim(self, minute: int, resource_id: str = RESOURCE_ID) -> bytes:
        """Return the command that claims the minute of this number since `BASE_MS`."""
        start_ms = BASE_MS + minute * MINUTE_MS
        return self.claim_between(start_ms, start_ms + LENGTH_MS, resource_id)

    def claim_between(self, start_ms: int, end_ms: int, resource_id: str = RESOURCE_ID) -> bytes:
        """Return the command that claims `[start_ms, end_ms)` under a new id."""
        self._made += 1
        return self._template % {
            b"ulid": b"%026d" % self._made,
            b"resource": resource_id.encode(),
            b"start_ms": b"%d" % start_ms,
            b"end_ms": b"%d" % end_ms,
            b"start": times.render(start_ms).encode(),
            b"end": times.render(end_ms).encode(),
        }


class _Recorder:
    """Stands in for the connection and keeps what is sent through it."""

    def __init__(self, run: str, document_bytes: int | None) -> None:
        self._run = run
        self._wanted_bytes = document_bytes
        self.frame = b""
        self.document_bytes = 0
        self.script = Script("", b"", b"")

    def record(self) -> None:
        """Let the store make one claim."""
        store = RedisReservations(self, Keys(), RandomIds(), Times())
        claim = claim_for(_terms(), _ULID, slots.DURATION_S * 1000)
        sized = replace(claim, document=self._sized(claim.document))
        asyncio.run(store.reserve(sized, 1, None))

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[list[bytes], int]:
        """Refuse: a claim looks for no keys."""
        raise NotImplementedError(cursor, pattern, count)

    async def time_ms(self) -> int:
        """Refuse: a claim asks for no time."""
        raise NotImplementedError

    async def renew(self, key: str) -> None:
        """Refuse: a claim on a warm index needs no other run."""
        raise NotImplementedError(key)

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Keep the last command; answer that every slot is reserved."""
        return [await self.call_packed(script, call) for call in calls]

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Keep the command; answer that the slot is reserved."""
        return await self.call_packed(script, pack(keys, arguments))

    async def call_packed(self, script: Script, call: Packed) -> list[Any]:
        """Keep the command; answer that the slot is reserved."""
        self.script = script
        self.frame = call.command(script.by_sha, bulk(self._run))
        return [b"reserved", BASE_MS]

    def _sized(self, document: bytes) -> bytes:
        """Return the document as long as it is to be, once the script has put its head on."""
        length = len(document)
        if self._wanted_bytes is not None:
            length = self._wanted_bytes - HEAD_BYTES
        self.document_bytes = HEAD_BYTES + length
        return document[:length].ljust(length, b"x")


def _terms() -> Terms:
    body: dict[str, Any] = slots.body(0)
    return Terms(
        resource_id=RESOURCE_ID,
        start_ms=_START_MS,
        end_ms=_END_MS,
        duration_s=slots.DURATION_S,
        quantity=1,
        what=body["what"],
        where=body["where"],
        description=body["description"],
        project_id=None,
        customer=body["customer"],
        graph="instant",
    )


def _with_places(recorded: bytes) -> bytes:
    places = {
        _ULID: b"ulid",
        RESOURCE_ID: b"resource",
        str(_START_MS): b"start_ms",
        str(_END_MS): b"end_ms",
        times.render(_START_MS): b"start",
        times.render(_END_MS): b"end",
    }
    template = recorded.replace(b"%", b"%%")
    for text, name in places.items():
        template = template.replace(text.encode(), b"%%(%b)b" % name)
    return template
