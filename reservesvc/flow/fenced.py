"""fenced: unsettle an entry, then let the booking store decide under the fence it had.

This order is what keeps a paused or half-dead server from booking into a slot that was
given away meanwhile: giving it away took a resync, and that raised the fence.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from reservesvc.domain.outcomes import Cold, FenceMoved, Pending
from reservesvc.flow.resync import ATTEMPTS, kept_cold, resync
from reservesvc.ports import Stores

Gone = TypeVar("Gone")
Decision = TypeVar("Decision")


async def fenced(
    stores: Stores,
    resource_id: str,
    unsettle: Callable[[], Awaitable[Pending | Cold | Gone]],
    decide: Callable[[Pending], Awaitable[Decision | FenceMoved]],
) -> Decision | Gone:
    """Return what the store decided, or why there was nothing to decide about.

    Args:
        stores: where to resync.
        resource_id: whose index the entry is in.
        unsettle: marks the entry.
        decide: the one booking-store transaction.

    Raises:
        UnavailableError: others kept moving the fence.

    """
    refused_fence = None
    for _ in range(ATTEMPTS):
        pending = await unsettle()
        if isinstance(pending, Pending) and pending.fence != refused_fence:
            decision = await decide(pending)
            if not isinstance(decision, FenceMoved):
                return decision
            # A fence moves with a resync, which is about to warm the index under the new one:
            # look again. Starting one more each time would keep two busy servers moving each
            # other's fence.
            refused_fence = pending.fence
        elif isinstance(pending, Pending | Cold):
            await resync(stores, resource_id)
        else:
            return pending
    raise kept_cold(resource_id)
