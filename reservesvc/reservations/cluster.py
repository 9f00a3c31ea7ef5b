"""A Redis Cluster as one Redis: each call goes to the node that has its keys.

All keys of a call carry the hash tag of one resource, so one node has them. A node that has
them no more says so instead of running the script; then the call is sent once more, to the
node that has them now. A call whose reply is lost is never sent again.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Any

import structlog
from redis.crc import key_slot

from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.redis_url import Node, parse
from reservesvc.reservations.packed import Argument, Packed, pack
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import REDIS, MovedError
from reservesvc.reservations.replicated_link import Replication
from reservesvc.reservations.scripts import Script
from reservesvc.reservations.slot_map import SlotMap
from reservesvc.supervised import Supervisor

LOOK_EVERY_S = 0.1
"""how soon after a look at the map another one is worth it"""
CONNECTS_PER_DEADLINE = 4
"""a node that is gone is given up in time to find out who took over"""
NODES_MAX = 1 << 14
"""more than a Cluster has slots; a cursor over all nodes is one of a node, times this"""

_log = structlog.get_logger()


class ClusterPipelines:
    """Calls scripts on the nodes of a Cluster, each over one shared connection.

    Args:
        url: `redis+cluster://` or `rediss+cluster://`.
        deadline_s: as of `Pipeline`.
        observe: told the seconds of every call.
        replication: as of `Pipeline`.
        supervisor: as of `Pipeline`.

    """

    def __init__(
        self,
        url: str,
        deadline_s: float,
        observe: Callable[[float], None] | None = None,
        replication: Replication | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._url = parse(url)
        self._map = SlotMap(self._url, deadline_s)
        self._new_pipeline = partial(
            Pipeline,
            deadline_s=deadline_s,
            observe=observe,
            replication=replication,
            supervisor=supervisor,
            connect_s=deadline_s / CONNECTS_PER_DEADLINE,
        )
        self._pipelines: dict[Node, Pipeline] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked_s = -inf
        self._blind = ""
        """why the last look came to nothing"""

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Run `script`, as `Pipeline.call` does."""
        return await self.call_packed(script, pack(keys, arguments))

    async def call_packed(self, script: Script, call: Packed) -> list[Any]:
        """Run `script`, as `Pipeline.call_packed` does."""
        slot = slot_of(call)
        pipeline = await self._found(slot)
        try:
            return await pipeline.call_packed(script, call)
        except OutcomeUnknownError:
            raise
        except UnavailableError as error:  # it did not run
            now = await self._elsewhere(slot, pipeline, error)
            return await now.call_packed(script, call)

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run `script` once for each of `calls`, as `Pipeline.call_many` does."""
        places: dict[Pipeline, list[int]] = {}
        for place, call in enumerate(calls):
            places.setdefault(await self._found(slot_of(call)), []).append(place)
        answers: list[list[Any] | UnavailableError] = [[]] * len(calls)
        parts = (
            self._part(pipeline, script, [calls[place] for place in mine])
            for pipeline, mine in places.items()
        )
        for mine, part in zip(places.values(), await asyncio.gather(*parts), strict=True):
            for place, answer in zip(mine, part, strict=True):
                answers[place] = answer
        return answers

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[list[bytes], int]:
        """Return keys of one node, and where to go on; every primary has its turn."""
        if cursor == 0:
            await self._look()
        pipelines = self._all()
        of_node, number = divmod(cursor, NODES_MAX)
        if number >= len(pipelines):  # there are fewer nodes than a moment ago
            return [], 0
        names, following = await pipelines[number].scan(of_node, pattern, count)
        if following == 0:
            number += 1
        return names, following * NODES_MAX + number if number < len(pipelines) else 0

    async def time_ms(self) -> int:
        """Return the time of the node that has the first slot, or of who took it over."""
        pipeline = await self._found(0)
        try:
            return await pipeline.time_ms()
        except UnavailableError as error:
            now = await self._elsewhere(0, pipeline, error)
            return await now.time_ms()

    async def renew(self, key: str) -> None:
        """Ask the node that has `key` once more which run of Redis it is."""
        slot = key_slot(key.encode())
        pipeline = await self._found(slot)
        try:
            await pipeline.renew(key)
        except UnavailableError as error:
            now = await self._elsewhere(slot, pipeline, error)
            await now.renew(key)

    async def servers(self) -> list[tuple[Pipeline, str]]:
        """Return the pipelines to all primaries, each with a hash tag whose slot it has.

        Raises:
            UnavailableError: no node says which there are.

        """
        await self._look()  # no request may come to notice a failover while this is not ready
        return [(self._pipeline(node), tag) for node, tag in self._map.tags().items()]

    async def close(self) -> None:
        """Close every connection; calls still waiting lose their replies."""
        if self._looking:
            self._looking.cancel()
        await asyncio.gather(*(pipeline.close() for pipeline in self._pipelines.values()))

    async def _part(
        self, pipeline: Pipeline, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run calls on one node; those that did not run, once more where their keys are now."""
        try:
            answers = await pipeline.call_many(script, calls)
        except UnavailableError as error:
            answers = [error] * len(calls)
        for place, answer in enumerate(answers):
            if isinstance(answer, UnavailableError) and not isinstance(answer, OutcomeUnknownError):
                answers[place] = await self._again(pipeline, script, calls[place], answer)
        return answers

    async def _again(
        self, pipeline: Pipeline, script: Script, call: Packed, error: UnavailableError
    ) -> list[Any] | UnavailableError:
        try:
            now = await self._elsewhere(slot_of(call), pipeline, error)
            return await now.call_packed(script, call)
        except UnavailableError as still:
            return still

    async def _found(self, slot: int) -> Pipeline:
        """Return the pipeline to the node that has the keys of `slot`."""
        node = self._map.primary(slot)
        if node is None:
            await self._look()
            node = self._map.primary(slot)
        if node is None:
            raise UnavailableError(REDIS, "is a Cluster that lacks a part: no node has this key")
        return self._pipeline(node)

    async def _elsewhere(self, slot: int, pipeline: Pipeline, error: UnavailableError) -> Pipeline:
        """Return who has the keys of `slot` now; raise `error` where it is nobody else."""
        if isinstance(error, MovedError):
            here = self._map.primary(slot)
            self._map.move(slot, (error.host or (here[0] if here else ""), error.port))
            self._begin_look()  # others have moved too, most likely
        else:
            await self._look()
        now = await self._found(slot)
        if now is pipeline:
            raise error
        return now

    def _all(self) -> list[Pipeline]:
        return [self._pipeline(node) for node in self._map.primaries()]

    def _pipeline(self, node: Node) -> Pipeline:
        found = self._pipelines.get(node)
        if found is None:
            name = "{}:{}".format(*node)
            self._pipelines[node] = found = self._new_pipeline(self._url.node(*node), name=name)
        return found

    async def _look(self) -> None:
        """Renew the map, unless that was done a moment ago; many callers look once.

        Raises:
            UnavailableError: no node answers, or none did a moment ago.

        """
        self._begin_look()
        if self._looking:
            # Shielded: one caller giving up must not take the map from the others.
            await asyncio.shield(self._looking)
        elif self._blind:
            raise UnavailableError(REDIS, self._blind)

    def _begin_look(self) -> None:
        if self._looking is None and _now_s() >= self._looked_s + LOOK_EVERY_S:
            self._looking = asyncio.create_task(self._map.look())
            self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking, self._looked_s = None, _now_s()
        if task.cancelled():
            return
        error = task.exception()
        self._blind = error.detail if isinstance(error, UnavailableError) else ""
        if error:
            if not self._blind:  # a bug, and perhaps no request waits for this look
                _log.error("cluster_look_failed", exc_info=error)
            return
        for node in self._pipelines.keys() - set(self._map.primaries()):
            self._pipelines.pop(node).retire()


def slot_of(call: Packed) -> int:
    """Return the hash slot of a call's keys; the first brace among them is their hash tag's."""
    return key_slot(call.keys)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
