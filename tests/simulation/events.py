"""What goes wrong: each kind of fault, and the worst moments for a fail-over."""

from collections import deque
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import Pending
from reservesvc.domain.reservation import Reservation
from reservesvc.ports import Snapshot
from tests.simulation.given import room
from tests.simulation.loop import Strand
from tests.simulation.memory_redis import Keyspace, MemoryRedis
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
ENDS_SHARE = 0.05
"""of the calls that end a hand-off or an action, after so many the primary fails"""
OVERTAKES_SHARE = 0.3
"""the same where another is still under way on the same entry or resource"""
UNDER_WAY_WEIGHT = 8


class Replica:
    """Earlier states of Redis, of which the one that does most harm takes over.

    Args:
        redis: the primary.
        asked: the requests that are not answered yet.

    """

    def __init__(self, redis: MemoryRedis, asked: Container[int]) -> None:
        self._redis = redis
        self._asked = asked
        self._states: deque[dict[str, Keyspace]] = deque(maxlen=LAG)
        self._begun: dict[str, tuple[str, int]] = {}
        """by nonce or ticket: on which entry or resource, in which request"""

    def remember(self, call: str, arguments: tuple[Any, ...]) -> None:
        """Keep the state before a call that ends something."""
        redis = self._redis
        if call in ENDING or (
            call == "resync_begin" and redis.can_overtake(redis.keyspace(arguments[0]))
        ):
            self._states.append(redis.saved())

    def fail_over_share(self, number: int, arguments: tuple[Any, ...], outcome: Any) -> float:
        """Return how often the primary is to fail right after this call of request `number`."""
        match outcome, arguments:
            case Pending(nonce=nonce), (Reservation(id=reservation_id),):
                self._begun[nonce] = (reservation_id.ulid, number)
            case Pending(nonce=nonce), (Entry(id=ulid),):
                self._begun[nonce] = (ulid, number)
            case (str(ticket), int()), (str(resource_id),):
                self._begun[ticket] = (resource_id, number)
            case bool(), (Entry(), Pending(nonce=nonce), *_):
                return self._ended(nonce, ENDS_SHARE)
            case bool(), (str(), str(ticket), Snapshot()):
                return self._ended(ticket, 0)
        return 0

    def _ended(self, token: str, otherwise: float) -> float:
        what, _ = self._begun.pop(token, ("", 0))
        is_overtaken = any(
            self._goes_on(other) for other in self._begun if self._begun[other][0] == what
        )
        return OVERTAKES_SHARE if is_overtaken else otherwise

    def _goes_on(self, token: str) -> bool:
        return token in self._begun and self._begun[token][1] in self._asked

    def take_over(self, now_ms: int) -> bool:
        """Let an earlier state be Redis' data; tell whether there was one."""
        if not self._states:
            return False
        self._redis.keyspaces = max(self._states, key=lambda state: self._harm(state, now_ms))
        self._states.clear()
        return True

    def _harm(self, state: dict[str, Keyspace], now_ms: int) -> int:
        """Return how much there is in `state` that ended since; what goes on counts most."""
        harm, clock_ms = 0, DAY_MS + now_ms
        for resource_id, there in state.items():
            here = self._redis.keyspace(resource_id)
            if there.ticket and self._goes_on(there.ticket[0]):
                harm += UNDER_WAY_WEIGHT
            for member in there.members:
                key = there.keys.get(member.id)
                if key and member.id not in here.keys and key.until_ms >= clock_ms:
                    harm += UNDER_WAY_WEIGHT if self._goes_on(member.nonce) else 1
        return harm


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
        world.redis.state.keyspace(target.resource_id).keys.pop(target.ulid, None)
        world.fault(strand, "delete_key", target)


def _cool(world: "World", item: Item, strand: Strand) -> None:
    world.redis.state.keyspace(room(item.resource)).fence = None
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
