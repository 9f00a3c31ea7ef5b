"""Values kept in memory: one load at a time for each key, stale ones when there is no other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from reservesvc.errors import UnavailableError

T = TypeVar("T")


class _Entry(NamedTuple, Generic[T]):
    generation: int
    value: T


class Shelf(Generic[T]):
    """Values by key, each with the generation it was read in.

    Forgetting starts a generation. An entry of an earlier one is read anew, and serves only
    if that fails or need not be tried. A load that began before and ended after is not kept.

    Args:
        load: reads one value; `UnavailableError` where it cannot be read now.
        entries_max: how many values are kept.

    """

    def __init__(self, load: Callable[[str], Awaitable[T]], entries_max: int) -> None:
        self._load = load
        self._entries_max = entries_max
        self._generation = 0
        self.is_store_reachable = True
        """False: what is known serves at once, of whatever generation"""
        self._entries: dict[str, _Entry[T]] = {}
        self._loads: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str) -> T:
        """Return the value, from memory if it can serve.

        Raises:
            UnavailableError: it cannot be read now and never was.

        """
        entry = self._entries.get(key)
        if entry is not None and self._serves(entry):
            return entry.value
        try:
            return await self._loaded(key)
        except UnavailableError:
            if entry is None:
                raise
            return entry.value

    def at_hand(self, key: str) -> T | None:
        """Return the value if it can serve from memory, or None: then `get` tells."""
        entry = self._entries.get(key)
        return entry.value if entry is not None and self._serves(entry) else None

    async def get_many(
        self, keys: Sequence[str], load_many: Callable[[Sequence[str]], Awaitable[Sequence[T]]]
    ) -> list[T]:
        """Return the values in the order of `keys`; those that cannot serve come in one load.

        Args:
            keys: of the values.
            load_many: reads the values of some keys, in their order.

        Raises:
            UnavailableError: one cannot be read now and never was.

        """
        known = {key: self._entries[key] for key in keys if key in self._entries}
        values = {key: entry.value for key, entry in known.items()}
        stale = [key for key in keys if key not in known or not self._serves(known[key])]
        if stale:
            try:
                values |= await self._load_and_keep_many(stale, load_many)
            except UnavailableError:
                if any(key not in values for key in stale):
                    raise
        return [values[key] for key in keys]

    def _serves(self, entry: _Entry[T]) -> bool:
        # No request need wait for a store of which the last refresh found that it is down.
        return entry.generation == self._generation or not self.is_store_reachable

    async def _load_and_keep_many(
        self, keys: Sequence[str], load_many: Callable[[Sequence[str]], Awaitable[Sequence[T]]]
    ) -> dict[str, T]:
        generation = self._generation
        values = dict(zip(keys, await load_many(keys), strict=True))
        if generation == self._generation:
            for key, value in values.items():
                self._keep(key, _Entry(generation, value))
        return values

    def forget(self) -> None:
        """Read every value anew from now on."""
        self._generation += 1
        self.is_store_reachable = True
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
        if len(self._entries) >= self._entries_max and key not in self._entries:
            self._entries.clear()
        self._entries[key] = entry

    def _end(self, key: str, load: asyncio.Task[T]) -> None:
        if self._loads.get(key) is load:
            del self._loads[key]
        if not load.cancelled():
            # Marks the error as seen, for the case that every caller has gone.
            load.exception()
