"""Projects and resources in memory: what every request reads and hardly anybody changes.

Looks at the store's settings version every 0.4 s, so that a change made anywhere holds here
within a second. While the store cannot be reached, what was known last goes on being used:
reserving must not stop with the store, and stale settings beat none.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from reservesvc.domain.project import Project, Resource, unregistered
from reservesvc.errors import UnavailableError
from reservesvc.ports import BookingStore

REFRESH_S = 0.4
"""Time between two looks at the store's settings version"""
ENTRIES_MAX = 100_000
"""How many projects, and how many resources, are kept"""

T = TypeVar("T")


class CachedSettings:
    """`reservesvc.ports.Settings` over a booking store.

    Args:
        store: where the settings are.
        sleep: waits so many seconds.
        entries_max: how many projects, and how many resources, are kept.

    """

    def __init__(
        self,
        store: BookingStore,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._version: int | None = None
        self._projects = _Shelf(store.project, entries_max)
        self._resources = _Shelf(self._load_resource, entries_max)

    async def project(self, project_id: str) -> Project | None:
        """Return the project.

        Raises:
            UnavailableError: the store cannot be reached and the project was never read.

        """
        return await self._projects.get(project_id)

    async def resource(self, resource_id: str) -> Resource:
        """Return the resource; an unregistered one has capacity 1.

        Raises:
            UnavailableError: the store cannot be reached and the resource was never read.

        """
        return await self._resources.get(resource_id)

    def forget(self) -> None:
        """Read everything anew from now on, after a change made by this process."""
        self._projects.forget()
        self._resources.forget()

    async def refresh(self) -> None:
        """Ask the store whether settings have changed, and forget them if so.

        Raises:
            UnavailableError: the store cannot be reached.

        """
        version = await self._store.settings_version()
        if version != self._version:
            self._version = version
            self.forget()

    async def run(self) -> None:
        """Refresh for ever; a store that cannot be reached is asked again."""
        while True:
            with suppress(UnavailableError):
                await self.refresh()
            await self._sleep(REFRESH_S)

    async def _load_resource(self, resource_id: str) -> Resource:
        return await self._store.resource(resource_id) or unregistered(resource_id)


class _Entry(NamedTuple, Generic[T]):
    generation: int
    value: T


class _Shelf(Generic[T]):
    """One kind of setting: values by id, each with the generation it was read in.

    Forgetting starts a generation. An entry of an earlier one is read anew, and serves only
    if that fails. A load that began before and ends after counts as of the earlier one.
    """

    def __init__(self, load: Callable[[str], Awaitable[T]], entries_max: int) -> None:
        self._load = load
        self._entries_max = entries_max
        self._generation = 0
        self._entries: dict[str, _Entry[T]] = {}
        self._loads: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str) -> T:
        entry = self._entries.get(key)
        if entry is not None and entry.generation == self._generation:
            return entry.value
        try:
            return await self._loaded(key)
        except UnavailableError:
            if entry is None:
                raise
            return entry.value

    def forget(self) -> None:
        self._generation += 1
        # Whoever asks from now on must not be given what a load from before may find.
        self._loads.clear()

    async def _loaded(self, key: str) -> T:
        """Load the value, together with whoever else is waiting for it."""
        load = self._loads.get(key)
        if load is None:
            load = asyncio.create_task(self._load_and_keep(key, self._generation))
            self._loads[key] = load
            load.add_done_callback(partial(self._end, key))
        # Shielded: one caller who gives up must not take the value from the others.
        return await asyncio.shield(load)

    async def _load_and_keep(self, key: str, generation: int) -> T:
        value = await self._load(key)
        if generation == self._generation:
            self._keep(key, _Entry(generation, value))
        return value

    def _keep(self, key: str, entry: _Entry[T]) -> None:
        # Cleared whole when full: bounds the memory that made-up ids can take, and costs one
        # indexed read for each id that is still in use, once in `entries_max` new ones.
        if len(self._entries) >= self._entries_max:
            self._entries.clear()
        self._entries[key] = entry

    def _end(self, key: str, load: asyncio.Task[T]) -> None:
        if self._loads.get(key) is load:
            del self._loads[key]
        if not load.cancelled():
            # Marks the error as seen, for the case that every caller has gone.
            load.exception()
