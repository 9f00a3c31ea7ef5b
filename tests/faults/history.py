"""What happened: every request with its times and its answer, every fault, and the end.

Times are seconds on the clock of the one process that sends the requests and breaks things.
What follows from it is `lives` (who held which slot when) and `checks` (what must hold).
"""

from math import inf
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct, field

Kind = Literal["reserve", "extend", "release", "read", "hand_off", "book", "cancel"]


class Slot(NamedTuple):
    """A resource and an interval, half-open."""

    resource_id: str
    start_ms: int
    end_ms: int

    def overlaps(self, other: "Slot") -> bool:
        """Tell whether both need the resource at one instant."""
        return (
            self.resource_id == other.resource_id
            and self.start_ms < other.end_ms
            and other.start_ms < self.end_ms
        )


class Op(Struct, kw_only=True):
    """One request and what came of it."""

    number: int
    kind: Kind
    server: int
    slot: Slot
    sent_s: float
    done_s: float = inf
    subject: str = ""
    """the reservation (extend, release, read, hand_off) or booking (cancel) it is about"""
    key: str = ""
    """its Idempotency-Key; of an item of a batch, with its place there"""
    what: str = ""
    """what a direct booking is for; the same in a repeat, and in no other request"""
    duration_s: int = 0
    """asked for (reserve, extend)"""
    cart: bool = False
    """one of a cart: all are reserved or none, and until that is known each may be held"""
    status: int = 0
    """0: no answer arrived"""
    code: str = ""
    detail: str = ""
    unknown: bool = False
    """503 that says so: it may have happened"""
    says_when: bool = False
    """the answer has a Retry-After"""
    given_up: bool = False
    """the client hung up on purpose"""
    reservation_id: str = ""
    booking_id: str = ""
    remaining_ms: int = 0

    @property
    def granted(self) -> bool:
        """It was done, and the client knows."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """It was not done, for a reason of the client's or another's."""
        return 400 <= self.status < 500

    @property
    def failed(self) -> bool:
        """It was not done, for a reason of the service's."""
        return self.status == 503 and not self.unknown

    @property
    def uncertain(self) -> bool:
        """It may have been done, now or a little later."""
        return not (self.granted or self.refused or self.failed)

    @property
    def may_have_worked(self) -> bool:
        """It was done, or may have been."""
        return self.granted or self.uncertain

    def __str__(self) -> str:
        """Tell what was asked and answered, in a line."""
        answer = f"{self.status} {self.code}{' unknown' * self.unknown}".strip()
        names = " ".join(filter(None, (self.subject, self.key, self.reservation_id)))
        return (
            f"#{self.number} {self.kind} of {self.slot.resource_id} on server {self.server} "
            f"at {self.sent_s:.3f} s "
            f"({names}): {answer} after {1000 * (self.done_s - self.sent_s):.0f} ms {self.detail}"
        ).rstrip()


class Window(Struct, kw_only=True):
    """A fault and the time until the service was well again."""

    name: str
    began_s: float
    ended_s: float = inf
    healed_s: float = inf
    """when every server was ready and reserved again"""
    loses_data: bool = False
    """Redis lost reservations that were acknowledged"""
    freezes: bool = False
    """a server was paused or killed: it could keep no deadline"""

    def touches(self, op: Op) -> bool:
        """Tell whether `op` was under way before the service was well again."""
        return op.sent_s < self.healed_s and op.done_s > self.began_s


class Stored(Struct, frozen=True, kw_only=True):
    """A row of the booking store."""

    id: str
    reservation_id: str
    slot: Slot
    quantity: int
    blocks: bool
    what: str


class Judgement(Struct, frozen=True, kw_only=True):
    """What a fresh claim was told when nothing was under way any more."""

    slot: Slot
    server: int
    granted: bool


class Terms(Struct, frozen=True, kw_only=True):
    """What the servers were configured to do."""

    deadline_s: float
    grace_s: float
    capacities: dict[str, int] = {}
    """of registered resources; 1 is the others'"""

    def capacity(self, resource_id: str) -> int:
        """Return how many units may be taken at once."""
        return self.capacities.get(resource_id, 1)


class History(Struct, kw_only=True):
    """Everything a checker may look at."""

    terms: Terms
    ops: list[Op] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)

    def copy(self) -> "History":
        """Return a history that can be changed without changing this one."""
        return msgspec.json.decode(msgspec.json.encode(self), type=History)
