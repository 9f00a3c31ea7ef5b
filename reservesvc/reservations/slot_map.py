"""Which node of a Redis Cluster has which key (Redis docs, CLUSTER SLOTS).

redis-py's own map belongs to its client: it keeps connections of its own to every node, and
renewing it takes milliseconds of Python. This one asks one node, on a connection for once.
"""

import random
from collections.abc import Iterable
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError, ResponseError

from reservesvc.errors import UnavailableError
from reservesvc.redis_url import Node, RedisUrl
from reservesvc.reservations.connecting import ask
from reservesvc.reservations.redis_errors import REDIS, UNREACHABLE, connect_reason

TAGS_MAX = 1 << 16
"""how many hash tags are tried to find one for each node"""
ASKED_PER_DEADLINE = 4
"""how many nodes that keep silent can be asked within the deadline"""


class SlotMap:
    """The primaries of a Cluster, by hash slot; empty until it is looked up.

    Args:
        url: the Cluster, and some of its nodes.
        deadline_s: of a whole look.

    """

    def __init__(self, url: RedisUrl, deadline_s: float) -> None:
        self._url = url
        self._patience_s = deadline_s / ASKED_PER_DEADLINE
        self._primaries: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._known: set[Node] = set(url.hosts)

    def primary(self, slot: int) -> Node | None:
        """Return the node that has the keys of `slot`, as far as is known."""
        return self._primaries[slot]

    def primaries(self) -> list[Node]:
        """Return every node that has a slot, in an order that stays."""
        return sorted({node for node in self._primaries if node is not None})

    def tags(self) -> dict[Node, str]:
        """Return for every node that has a slot a hash tag whose slot it has.

        A node with very few slots of many may be left without one.
        """
        missing, tags = set(self.primaries()), dict[Node, str]()
        for number in range(TAGS_MAX):
            node = self._primaries[key_slot(b"%d" % number)]
            if node in missing:
                tags[node] = str(number)
                missing.remove(node)
            if not missing:
                break
        return tags

    def move(self, slot: int, node: Node) -> None:
        """Note where a node said that the keys of `slot` are."""
        self._primaries[slot] = node
        self._known.add(node)

    async def look(self) -> None:
        """Ask the nodes, one after the other in any order, until one answers.

        Raises:
            UnavailableError: none does.

        """
        reason = ""
        for node in random.sample(sorted(self._known), len(self._known)):
            try:
                rows = await ask(self._url.node(*node), self._patience_s, "CLUSTER", "SLOTS")
            except UnavailableError as error:
                reason = error.detail
            except ResponseError as error:
                reason = connect_reason(error) or f"does not say where keys are ({error})"
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                reason = connect_reason(error) or UNREACHABLE
            else:
                self._learn(rows, node)
                return
        raise UnavailableError(REDIS, reason)

    def _learn(self, rows: Iterable[list[Any]], asked: Node) -> None:
        """Take over what a node said: a row a range, its first and last slot, its nodes."""
        primaries: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        known = set(self._url.hosts)
        for first, last, *nodes in rows:
            places = [_place(node, asked) for node in nodes]
            primaries[first : last + 1] = [places[0]] * (last + 1 - first)
            known.update(places)
        self._primaries, self._known = primaries, known


def _place(node: list[Any], asked: Node) -> Node:
    """Return host and port; a node that does not know its own host is known by ours for it."""
    host = node[0].decode() if node[0] else ""
    return (host if host not in ("", "?") else asked[0]), int(node[1])
