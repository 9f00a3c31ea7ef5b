"""A server's worst neighbour: books one slot after the other until it is killed.

`python -m tests.bookings.endless_bookings <file> <name>` prints the id of each booking once
it was acknowledged.
"""

import asyncio
import sys
from itertools import count

from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.outcomes import Booked
from tests.bookings.builders import at


async def book_for_ever(path: str, name: str) -> None:
    """Book every minute after noon on a resource of its own."""
    store = await SqliteBookingStore.open(path, busy_s=20)
    for number in count():
        draft = at(
            number,
            number + 1,
            id=f"{name}-{number}",
            reservation_id=f"{name}.{number:026}",
            resource_id=name,
            description="x" * 3_000,
        )
        if isinstance(await store.book(draft, 0, None), Booked):
            print(draft.id, flush=True)  # noqa: T201 - what was acknowledged


if __name__ == "__main__":
    asyncio.run(book_for_ever(*sys.argv[1:]))
