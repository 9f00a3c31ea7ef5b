"""Offers: slots, and which of several resources can be had in each. A mode a class.

The modes are Timekit's. Resources are added in the order of preference; what one costs grows
with what is free and in the way of it, so that whoever adds many can pause in between.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal, NamedTuple, Protocol, get_args

from reservesvc.domain.project import Resource

Mode = Literal["roundrobin_random", "roundrobin_prioritized", "mutual", "exclusive"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Offer(NamedTuple):
    """A slot that begins at `start_ms`, and the places of the resources to be had in it."""

    start_ms: int
    places: Sequence[int]


class Offers(Protocol):
    """What a mode makes of the slots that resources are free for."""

    def add(self, place: int, starts: Sequence[int]) -> None:
        """Take one more resource and its starts into account; the earlier ones go before it."""
        ...

    def all(self) -> list[Offer]:
        """Return every offer, by start."""
        ...


class OneOf:
    """In each slot the first resource that is free then; round-robin."""

    def __init__(self) -> None:
        self._taken: dict[int, int] = {}

    def add(self, place: int, starts: Sequence[int]) -> None:
        """Offer it where none before it is free."""
        taken = self._taken
        taken.update({start_ms: place for start_ms in starts if start_ms not in taken})

    def all(self) -> list[Offer]:
        """Return every offer, by start."""
        return [Offer(start_ms, (place,)) for start_ms, place in sorted(self._taken.items())]


class EachOf:
    """In each slot every resource that is free then; exclusive."""

    def __init__(self) -> None:
        self._free: dict[int, list[int]] = {}

    def add(self, place: int, starts: Sequence[int]) -> None:
        """Offer it wherever it is free."""
        for start_ms in starts:
            self._free.setdefault(start_ms, []).append(place)

    def all(self) -> list[Offer]:
        """Return every offer, by start."""
        return [Offer(start_ms, places) for start_ms, places in sorted(self._free.items())]


class AllOf:
    """The slots for which all resources are free, each on its own grid; mutual."""

    def __init__(self) -> None:
        self._starts: Sequence[int] = ()
        self._places: list[int] = []

    def add(self, place: int, starts: Sequence[int]) -> None:
        """Offer only what it is free for, too."""
        kept = set(starts)
        self._starts = [each for each in self._starts if each in kept] if self._places else starts
        self._places.append(place)

    def all(self) -> list[Offer]:
        """Return every offer, by start."""
        return [Offer(start_ms, self._places) for start_ms in self._starts]


_OFFERS: dict[Mode, type[OneOf | EachOf | AllOf]] = {
    "roundrobin_random": OneOf,
    "roundrobin_prioritized": OneOf,
    "mutual": AllOf,
    "exclusive": EachOf,
}


def offers(mode: Mode) -> Offers:
    """Return what makes offers in `mode`, without a resource so far."""
    return _OFFERS[mode]()


def preferred(mode: Mode, resources: Sequence[Resource], lot: str) -> list[Resource]:
    """Return the resources in the order of preference.

    Args:
        mode: random wants them shuffled, the others as they are.
        resources: as the request or the project lists them.
        lot: what decides how they are shuffled; anything, and another one each time.

    """
    if mode != "roundrobin_random":
        return list(resources)
    return sorted(resources, key=lambda each: sha256(f"{lot}:{each.id}".encode()).digest())
