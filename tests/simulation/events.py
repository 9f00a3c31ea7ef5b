"""What goes wrong: each kind of fault, and the worst moments for a fail-over."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.simulation.given import room
from tests.simulation.loop import Strand
from tests.simulation.memory_redis import Index, MemoryRedis
from tests.simulation.network import Dependency, pause_ms
from tests.simulation.plan import DAY_MS, Item

if TYPE_CHECKING:
    from tests.simulation.world import World

BACK_MS = 1_500
"""how long a killed server, or a dependency that is down, stays away at most"""
LAG = 12
"""so many states a replica may lag behind"""
ENDING = {"release", "unsettle_booking"}
"""calls before which a replica stops for a while: what they end comes back with it"""
SETTLING = {"settle_booked", "settle_freed"}
SETTLING_SHARE = 0.1
"""of the calls that end a hand-off or an action, after so many the primary fails"""
UNSETTLED_WEIGHT = 4


class Replica:
    """Earlier states of Redis, of which the one that does most harm takes over.

    Args:
        redis: the primary.

    """

    def __init__(self, redis: MemoryRedis) -> None:
        self._redis = redis
        self._states: deque[dict[str, Index]] = deque(maxlen=LAG)

    def remember(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Keep the state before a call that ends something."""
        redis = self._redis
        if name in ENDING or (
            name == "resync_begin" and redis.can_overtake(redis.index(arguments[0]))
        ):
            self._states.append(redis.saved())

    def take_over(self, now_ms: int) -> bool:
        """Let an earlier state be Redis' data; tell whether there was one."""
        if not self._states:
            return False
        self._redis.indexes = max(self._states, key=lambda state: self._harm(state, now_ms))
        self._states.clear()
        return True

    def _harm(self, state: dict[str, Index], now_ms: int) -> int:
        """Return how much there is in `state` that ended since; unsettled entries count most."""
        tickets = sum(index.ticket is not None for index in state.values())
        return tickets + sum(
            UNSETTLED_WEIGHT if member.kind == "u" else 1
            for resource_id, index in state.items()
            for member in index.members
            if member.id not in self._redis.index(resource_id).keys
            and member.id in index.keys
            and index.keys[member.id].until_ms >= DAY_MS + now_ms
        )


def back_ms(strand: Strand) -> int:
    """Return how long something that went down stays away."""
    return int(strand.lots.random() ** 2 * BACK_MS)


def _crash(world: "World", item: Item, _: Strand) -> None:
    world.crash(world.servers[item.server].process)


def _pause(world: "World", item: Item, strand: Strand) -> None:
    world.pause(world.servers[item.server].process, pause_ms(strand.lots))


def _flush(world: "World", _: Item, strand: Strand) -> None:
    world.redis.state.flush()
    world.fault(strand, "flush")


def _restart(world: "World", _: Item, strand: Strand) -> None:
    world.restart_redis()
    world.fault(strand, "restart")


def _down(world: "World", strand: Strand, dependency: Dependency) -> None:
    down_ms = back_ms(strand)
    dependency.down_until_ms = world.loop.now_ms + down_ms
    world.fault(strand, "down", dependency.name, down_ms)


def _delete_key(world: "World", item: Item, strand: Strand) -> None:
    target = world.clients.reservation(strand.lots.random(), again=item.asks_again)
    if target:
        world.redis.state.index(target.resource_id).keys.pop(target.ulid, None)
        world.fault(strand, "delete_key", target)


def _cool(world: "World", item: Item, strand: Strand) -> None:
    world.redis.state.index(room(item.resource)).fence = None
    world.fault(strand, "cool", room(item.resource))


EVENTS: dict[str, Callable[["World", Item, Strand], None]] = {
    "crash": _crash,
    "pause": _pause,
    "flush": _flush,
    "restart": _restart,
    "redis_down": lambda world, _, strand: _down(world, strand, world.redis),
    "store_down": lambda world, _, strand: _down(world, strand, world.store),
    "delete_key": _delete_key,
    "cool": _cool,
    "fail_over": lambda world, _, strand: world.fail_over(strand),
}
