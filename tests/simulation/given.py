"""What the flow is given in the simulation: settings, limits, names that repeat themselves."""

from collections.abc import Sequence

from reservesvc.domain.project import Resource
from reservesvc.domain.wish import Limits, Wish
from reservesvc.ports import Idempotency
from reservesvc.reservations.store import Times
from tests.simulation.plan import DAY_MS, HOUR_MS, HOURS, Item

GRACE_MS = 2_500
LIMITS = Limits(grace_ms=GRACE_MS, duration_s_max=60)
TIMES = Times(life_ms=60_000, grace_ms=GRACE_MS, ticket_ms=3_000, patience_ms=40)
CUSTOMER = {"name": "Ada", "email": "ada@example.com"}


class CountingIds:
    """`ports.Ids` by counting."""

    def __init__(self) -> None:
        self._count = 0

    def token(self) -> str:
        """Return a new number."""
        self._count += 1
        return str(self._count)

    def ulid(self) -> str:
        """Return a new number in the form of a ULID; its last two digits count a cart's items."""
        return f"{self.token()}00".zfill(26)

    def uuid(self) -> str:
        """Return a new number."""
        return self.token()


class FixedSettings:
    """`ports.Settings` that nobody changes."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self._resources = {
            name: Resource(id=name, name=name, capacity=capacity)
            for name, capacity in capacities.items()
        }

    async def project(self, project_id: str) -> None:
        """Return that there is none."""

    async def resource(self, resource_id: str) -> Resource:
        """Return the resource."""
        return self._resources[resource_id]

    def known(self, resource_id: str) -> Resource | None:
        """Return the resource."""
        return self._resources.get(resource_id)

    async def resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return the resources."""
        return [self._resources[each] for each in resource_ids]

    def forget(self) -> None:
        """Do nothing."""


def room(number: int) -> str:
    """Return the id of the resource `number`."""
    return f"room-{number}"


def parts_of(item: Item) -> list[Item]:
    """Return the items of a batch: its own slot, and another hour, maybe of another resource."""
    hour = (item.hour + item.hours) % (HOURS + 1 - item.hours)
    return [item, item._replace(resource=item.other, hour=hour, quantity=1)]


def wish_of(item: Item) -> Wish:
    """Return the request that the item is."""
    return Wish(
        resource_id=room(item.resource),
        start_ms=DAY_MS + item.hour * HOUR_MS,
        end_ms=DAY_MS + (item.hour + item.hours) * HOUR_MS,
        duration_s=item.duration_s,
        quantity=item.quantity,
        what="",
        where="",
        description="",
        customer=dict(CUSTOMER),
        graph="confirm_decline" if item.kind == "ask" else None,
    )


def key_of(item: Item, target: str = "") -> Idempotency | None:
    """Return the item's Idempotency-Key as the stores see it, sent for `target`."""
    if item.key is None:
        return None
    return Idempotency(digest=f"{item.kind}-{item.key}", fingerprint=item.body + target)
