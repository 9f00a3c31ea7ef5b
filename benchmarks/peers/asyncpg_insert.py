"""A bare asyncpg insert into the service's table of bookings: how many it makes in a second.

    python -m benchmarks.peers.asyncpg_insert URL CONNECTIONS SECONDS

Each connection inserts one row after the other, each in a transaction of its own; nothing is
checked, locked or looked at. Prints `{"rows": …, "duration_s": …}`.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import count

import asyncpg
import msgspec
import uvloop

from benchmarks import slots
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_values
from reservesvc.domain.booking import Booking
from reservesvc.ids import RandomIds

COLUMNS = (*BOOKING_COLUMNS, "blocks", "exclusive")
INSERT = (
    f"INSERT INTO bookings ({', '.join(COLUMNS)}) "  # noqa: S608  our own column names
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(COLUMNS) + 1))})"
)
_MINUTE_MS = 60_000
_LENGTH_MS = 59_000


def rows() -> Iterator[list[object]]:
    """Yield the values of one booking after the other, over as many resources as the service's."""
    ids = RandomIds()
    names = ("id", "reservation_id", "entry_id", "resource_id", "start_ms", "end_ms")
    places = [COLUMNS.index(name) for name in names]
    template = [*booking_values(_booking()), True, True]
    first_ms = template[places[4]]
    for slot in count():
        ulid, room = ids.ulid(), f"room-{slot % slots.RESOURCES}"
        start_ms = first_ms + slot // slots.RESOURCES * _MINUTE_MS
        row = list(template)
        values = (ids.uuid(), f"{room}.{ulid}", ulid, room, start_ms, start_ms + _LENGTH_MS)
        for place, value in zip(places, values, strict=True):
            row[place] = value
        yield row


def _booking() -> Booking:
    start_ms = int(slots.BASE.timestamp() * 1000)
    now_ms = int(time.time() * 1000)
    return Booking(
        id="",
        reservation_id="",
        entry_id="",
        resource_id="",
        project_id=None,
        graph="instant",
        state="confirmed",
        start_ms=start_ms,
        end_ms=start_ms + _LENGTH_MS,
        quantity=1,
        what=slots.TEXTS["what"],
        where=slots.TEXTS["where"],
        description=slots.TEXTS["description"],
        customers=[{"id": RandomIds().uuid(), **slots.CUSTOMER}],
        meta={},
        created_ms=now_ms,
        updated_ms=now_ms,
    )


async def inserted(url: str, connections: int, duration_s: float) -> dict[str, float]:
    """Insert for so long over so many connections; return how many rows and the time taken."""
    opened = [await asyncpg.connect(url) for _ in range(connections)]
    rest = rows()
    for connection in opened:
        await connection.execute(INSERT, *next(rest))  # prepares the statement
    began_s = time.perf_counter()
    until_s = began_s + duration_s

    async def insert(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        made = 0
        while time.perf_counter() < until_s:
            await connection.execute(INSERT, *next(rest))
            made += 1
        return made

    made = await asyncio.gather(*map(insert, opened))
    lasted_s = time.perf_counter() - began_s
    await asyncio.gather(*(connection.close() for connection in opened))
    return {"rows": sum(made), "duration_s": lasted_s}


def main() -> None:
    """Insert and print what it came to."""
    url, connections, duration_s = sys.argv[1:]
    uvloop.install()
    found = asyncio.run(inserted(url, int(connections), float(duration_s)))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main()
