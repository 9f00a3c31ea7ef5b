"""What a seed plans: requests and faults, each at its time, with lots of its own.

Each item stands for itself: with some of them left out, the others are what they were. So a
failure can be made shorter by leaving items out.

The lots are thrown in layers: a seed draws which faults there are, a stretch of its plan which
requests are many and which slot they crowd around. Much of a few kinds finds what a little of
every kind does not.
"""

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import NamedTuple

from tests.simulation.loop import lots_of

ITEMS = 2_400
"""in a plan; some find nothing to act on and are no operation"""
STRETCH = (30, 90)
"""how many items a stretch has, from and to"""
CALM_EVERY = 8
"""one seed in so many has no faults: there, any error is one"""
FAIL_OVER_EVERY = 2
"""one seed in so many may lose acknowledged writes of Redis, as a fail-over does"""
SERVERS = 3
HOURS = 4
DAY_MS = 1_900_000_800_000
"""midnight of the simulated day"""
HOUR_MS = 3_600_000

REQUESTS = {
    "reserve": 36.0,
    "hand_off": 24.0,
    "book": 8.0,
    "cancel": 16.0,
    "reschedule": 6.0,
    "ask": 5.0,
    "confirm": 6.0,
    "decline": 0.5,
    "complete": 1.5,
    "delete": 3.0,
    "extend": 5.0,
    "release": 8.0,
    "read": 2.0,
    "live": 1.5,
    "reserve_each": 2.0,
    "reserve_all": 3.0,
    "tidy": 1.0,
}
"""how often each is, before a stretch draws which are more"""
KEYED = ("reserve", "book", "reschedule", "reserve_each", "reserve_all")
"""requests that may come with an Idempotency-Key"""
EVENTS = ("crash", "pause", "flush", "restart", "redis_down", "store_down", "delete_key", "cool")
CALL_FAULTS = (
    "refuse",
    "lose",
    "late",
    "slow",
    "slow_reply",
    "crash_before",
    "crash_after",
    "pause",
)
WITH_FAIL_OVERS = ("pause", "slow_reply")
"""in every seed with fail-overs: what goes on late may meet an index it does not know"""


class Item(NamedTuple):
    """One request or fault."""

    number: int
    at_ms: int
    kind: str
    server: int
    resource: int
    other: int
    """the resource of a batch's second item"""
    hour: int
    hours: int
    quantity: int
    duration_s: int
    key: str | None
    body: str
    gives_up_ms: int
    asks_again: bool
    """about something of which there may be no more to be had"""
    seed: int


class Plan(NamedTuple):
    """Everything that a seed decides before the first event."""

    seed: int
    is_calm: bool
    has_fail_overs: bool
    capacities: tuple[int, ...]
    hop_ms: int
    """how long a call takes to arrive, at most, if nothing is wrong"""
    listed_share: float
    """of the actions that are on the booking just made"""
    fates: list[tuple[float, str]]
    """what can befall a call, each with the lot up to which it does"""
    items: list[Item]


def plan_of(seed: int) -> Plan:
    """Return what `seed` plans."""
    lots = lots_of(seed)
    is_calm = seed % CALM_EVERY == 0
    has_fail_overs = not is_calm and seed % FAIL_OVER_EVERY == 0
    capacities = tuple(lots.choice((1, 1, 1, 2, 3)) for _ in range(lots.choice((1, 1, 2))))
    planner = Planner(lots, seed, capacities, has_fail_overs=has_fail_overs)
    return Plan(
        seed=seed,
        is_calm=is_calm,
        has_fail_overs=has_fail_overs,
        capacities=capacities,
        hop_ms=lots.choice((2, 4, 8, 30)),
        listed_share=lots.choice((0.1, 0.6)),
        fates=[] if is_calm else _fates(lots, WITH_FAIL_OVERS if has_fail_overs else ()),
        items=planner.items([] if is_calm else [e for e in EVENTS if lots.random() < 0.5]),
    )


def _fates(lots: Random, always: tuple[str, ...]) -> list[tuple[float, str]]:
    chosen = [name for name in CALL_FAULTS if name in always or lots.random() < 0.6]
    bounds = accumulate(lots.choice((0.001, 0.003, 0.01, 0.02)) for _ in chosen)
    return list(zip(bounds, chosen, strict=True))


class Planner:
    """Draws a seed's items, stretch by stretch."""

    def __init__(
        self, lots: Random, seed: int, capacities: tuple[int, ...], *, has_fail_overs: bool
    ) -> None:
        self._lots = lots
        self._seed = seed
        self._capacities = capacities
        self._has_fail_overs = has_fail_overs
        self._duration_s_max = lots.choice((4, 4, 12))
        self._pace_ms = lots.choice((2, 5, 12, 40))
        self._lapses = lots.choice((0.002, 0.005, 0.015))
        self._at_ms = 0
        self._keyed: dict[str, list[Item]] = {kind: [] for kind in KEYED}

    def items(self, events: list[str]) -> list[Item]:
        """Return all items, with faults of the kinds `events` among them."""
        rates = [(event, self._lots.choice((0.002, 0.004, 0.008, 0.016))) for event in events]
        items: list[Item] = []
        while len(items) < ITEMS:
            items += self._stretch(len(items), rates)
        return items[:ITEMS]

    def _stretch(self, number: int, rates: list[tuple[str, float]]) -> list[Item]:
        lots = self._lots
        weights = [(kind, many * lots.choice((1, 1, 3))) for kind, many in REQUESTS.items()]
        share = sum(many for _, many in weights)
        weights += [(event, rate * share) for event, rate in rates]
        kinds, bounds = [kind for kind, _ in weights], list(accumulate(m for _, m in weights))
        length = lots.randint(*STRETCH)
        # After a fail-over clients ask again about what they had, and no longer have.
        fails_over_at = lots.randint(length // 3, length) if self._has_fail_overs else length
        retries = lots.choice((0.0, 0.5))
        crowded = self._slot()
        items = []
        for place in range(length):
            kind = kinds[bisect(bounds, lots.random() * bounds[-1])]
            is_retry = place > fails_over_at and lots.random() < retries
            if is_retry:
                kind = "hand_off"
            elif place == fails_over_at:
                kind = "fail_over"
            slot = crowded if lots.random() < 0.7 else self._slot()
            items.append(self._item(number + place, kind, slot, is_retry=is_retry))
        return items

    def _slot(self) -> tuple[int, int, int]:
        lots = self._lots
        hours = 1 if lots.random() < 0.6 else 2
        return lots.randrange(len(self._capacities)), lots.randrange(HOURS + 1 - hours), hours

    def _item(self, number: int, kind: str, slot: tuple[int, int, int], *, is_retry: bool) -> Item:
        lots = self._lots
        self._at_ms += self._gap_ms()
        resource, hour, hours = slot
        item = Item(
            number=number,
            at_ms=self._at_ms,
            kind=kind,
            server=int(lots.random() * SERVERS),
            resource=resource,
            other=(resource + number) % len(self._capacities),
            hour=hour,
            hours=hours,
            quantity=1 + int(lots.random() * self._capacities[resource]),
            duration_s=1 + int(lots.random() ** 2 * self._duration_s_max),
            key=str(number) if kind in self._keyed and lots.random() < 0.3 else None,
            body="a",
            gives_up_ms=int(lots.random() * 60) if lots.random() < 0.03 else 0,
            asks_again=is_retry or lots.random() < 0.2,
            seed=self._seed * 10_000 + number,
        )
        return item if item.key is None else self._keep(item)

    def _gap_ms(self) -> int:
        """Return the time to the next item: often none, seldom enough for things to lapse."""
        lot = self._lots.random()
        if lot < 0.4:
            return 0
        if lot < 1 - self._lapses:
            return int(self._lots.random() * self._pace_ms * 2)
        return int(self._lots.random() * 3_000)

    def _keep(self, item: Item) -> Item:
        """Remember a request with a key; half of them are earlier ones again."""
        earlier = self._keyed[item.kind]
        if earlier and self._lots.random() < 0.5:
            item = self._again(item, earlier[int(self._lots.random() ** 0.3 * len(earlier))])
        earlier.append(item)
        return item

    def _again(self, item: Item, earlier: Item) -> Item:
        """Return the earlier request at the item's time; now and then with another body."""
        return item._replace(
            resource=earlier.resource,
            other=earlier.other,
            hour=earlier.hour,
            hours=earlier.hours,
            quantity=earlier.quantity,
            duration_s=earlier.duration_s,
            key=earlier.key,
            body="b" if self._lots.random() < 0.1 else earlier.body,
        )


def question(plan: Plan, resource: int, hour: int) -> Item:
    """Return the claim that asks, at the end, whether an hour is free."""
    number = len(plan.items) + resource * HOURS + hour
    return Item(
        number=number,
        at_ms=0,
        kind="reserve",
        server=0,
        resource=resource,
        other=resource,
        hour=hour,
        hours=1,
        quantity=1,
        duration_s=1,
        key=None,
        body="a",
        gives_up_ms=0,
        asks_again=False,
        seed=number,
    )
