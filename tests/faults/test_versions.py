"""Row of the fault matrix: upgrade and rollback with live reservations.

What version 0.1 leaves in Redis, literally. Today's servers read it, and what they write is
the same again, so that version 0.1 reads that: two versions may work side by side. Who changes
a line of `STATE` changes what a running service of version 0.1 cannot know of.
"""

import re
import time
from hashlib import blake2b
from typing import Any

from redis.asyncio import Redis

from reservesvc.domain import times
from tests.builders import DAY, HOUR_MS
from tests.faults.conftest import Holds
from tests.faults.history import Op
from tests.faults.trial import slot_of, trial

SLOT = slot_of("room-1")
RESERVED, UNSETTLED = "01M81XJM1T9DJQ8GPTN0Y8C91C", "01M81XMHGBRZ640VDXVASP4SF3"
KEY = "7f1c9a52-3c39-4a0e-9c3e-0d6a5b1f2e77"
START_MS, END_MS = SLOT.start_ms, SLOT.end_ms
DOCUMENT = (
    '{"expires_at":"%s","created_at":"%s",'
    f'"start":"{DAY}T%02d:00:00.000Z","end":"{DAY}T%02d:00:00.000Z","quantity":1,'
    '"id":"room-1.%s","reservation_id":"room-1.%s","resource_id":"room-1","project_id":null,'
    '"duration":600,"what":"Haircut","where":"Main street 1","description":"Short",'
    '"customer":{},"graph":"instant"}'
)
# What the key is remembered under for a caller without an API key, and what for this body.
REMEMBERED = "idempotency:{room-1}:5d77f0c4969593b253addc43e83c1914"
BODY = (
    f'{{"resource_id": "room-1", "start": "{DAY}T10:00:00.000Z", "end": "{DAY}T11:00:00.000Z", '
    '"what": "Haircut", "where": "Main street 1", "description": "Short", "duration": 600}'
)
FINGERPRINT = blake2b(BODY.encode(), digest_size=16).hexdigest()
STATE = {
    "reservation:{room-1}:<ulid>": '{"expires_at":"<time>","created_at":"<time>",'
    f'"start":"{DAY}T10:00:00.000Z","end":"{DAY}T11:00:00.000Z","quantity":1,'
    '"id":"room-1.<ulid>","reservation_id":"room-1.<ulid>","resource_id":"room-1",'
    '"project_id":null,"duration":600,"what":"Haircut","where":"Main street 1",'
    '"description":"Short","customer":{},"graph":"instant"}',
    "slots:{room-1}": [
        f"r:{END_MS}:1:<ulid> {START_MS}",
        f"b:{END_MS + HOUR_MS}:1:<ulid> {START_MS + HOUR_MS}",
    ],
    "fence:{room-1}": "1:<8 hex>",
    REMEMBERED: f"{FINGERPRINT} <ulid>",
    "ended:{room-1}:<ulid>": "converted <time> <uuid>",
}
"""every kind of key, with what differs from day to day in angle brackets"""

_NAMES = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<ulid>"),
    (r'(?<="expires_at":")[^"]+|(?<="created_at":")[^"]+|(?<=converted )\S+', "<time>"),
    (r"(?<=^\d:)[0-9a-f]{8}$", "<8 hex>"),
)


def general(text: str) -> str:
    """Return `text` with what differs from day to day in angle brackets."""
    for pattern, name in _NAMES:
        text = re.sub(pattern, name, text)
    return text


async def written(redis: Redis) -> dict[str, Any]:
    """Return everything in Redis, in general terms."""
    found: dict[str, Any] = {}
    for key in [key async for key in redis.scan_iter("*")]:
        if await redis.type(key) == "zset":
            entries: Any = await redis.zrange(key, 0, -1, withscores=True)
            found[general(key)] = [f"{general(member)} {score:.0f}" for member, score in entries]
        else:
            found[general(key)] = general(str(await redis.get(key)))
    return found


async def test_what_is_written_is_what_version_0_1_reads(holds: Holds) -> None:
    """One reservation with a key and one booking: the same keys, the same values."""
    async with trial(servers=1) as made, made.cluster.redis_client() as redis:
        client = made.client
        await client.reserve(SLOT, 600, key=KEY)
        await client.hand_off(await client.reserve(slot_of("room-1", 11), 600))
        assert await written(redis) == STATE
        assert 590_000 < await redis.pttl((await redis.keys("reservation:*"))[0]) <= 600_000
        await holds(made, [SLOT, slot_of("room-1", 11)])


async def test_what_version_0_1_wrote_is_read() -> None:
    """Live reservations, one of them half handed off, an Idempotency-Key, a tombstone."""
    async with trial() as made, made.cluster.redis_client() as redis:
        client = made.client
        assert (await client.reserve(slot_of("room-1", 20), 1)).granted  # fence 1
        await _write(redis)
        held, half = _op(RESERVED, 10), _op(UNSETTLED, 12)
        for server in (0, 1):
            assert (await client.read(held, server=server)).granted
            assert (await client.reserve(SLOT, 5, server=server)).code == "slot_unavailable"
            busy = await client.extend(half, 60, server=server)
            assert busy.code == "handoff_in_progress"
        replayed = await client.reserve(SLOT, 600, key=KEY)
        assert replayed.reservation_id == f"room-1.{RESERVED}"
        assert (await client.extend(held, 900)).granted
        assert (await client.hand_off(held)).status == 201
        assert (await client.hand_off(half, server=1)).status == 201
        assert (await client.release(_op("0" * 26, 14))).granted


async def _write(redis: Redis) -> None:
    """Write what version 0.1 leaves: one entry reserved, one unsettled, a key, a tombstone."""
    now_ms = time.time_ns() // 1_000_000
    for ulid, hour, kind in ((RESERVED, 10, "r"), (UNSETTLED, 12, "u")):
        lifetime = times.render(now_ms + 600_000), times.render(now_ms)
        document = DOCUMENT % (*lifetime, hour, hour + 1, ulid, ulid)
        await redis.set(f"reservation:{{room-1}}:{ulid}", document, px=600_000)
        start_ms = slot_of("room-1", hour).start_ms
        member = f"{kind}:{start_ms + HOUR_MS}:1:{ulid}" + ":NONCE" * (kind == "u")
        await redis.zadd("slots:{room-1}", {member: start_ms})
    await redis.set(REMEMBERED, f"{FINGERPRINT} {RESERVED}", px=86_400_000)
    await redis.set("ended:{room-1}:" + "0" * 26, f"released {times.render(now_ms)}", px=60_000)


def _op(ulid: str, hour: float) -> Op:
    """Return the claim that this reservation came from."""
    return Op(
        number=0,
        kind="reserve",
        server=0,
        slot=slot_of("room-1", hour),
        sent_s=0,
        reservation_id=f"room-1.{ulid}",
    )
