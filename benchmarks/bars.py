"""Where the service is to be: the bars, and how a measured value stands to them."""

from typing import Literal

from msgspec import Struct

Verdict = Literal["goal", "met", "missed", "skipped"]
_SHOWN: dict[Verdict, str] = {
    "goal": "goal reached",
    "met": "first bar met",
    "missed": "MISSED",
    "skipped": "not measured",
}


class Bar(Struct, frozen=True, kw_only=True):
    """One promise about speed, with the value to reach first and the one to go on to."""

    key: str
    text: str
    goal: float
    first: float
    more_is_better: bool = False
    unit: str = ""
    """of values that are no ratios"""


BARS = (
    Bar(key="bare", text="reserve: server CPU ÷ bare aiohttp + uvloop", goal=0.8, first=1.1),
    Bar(key="fastify", text="reserve: server CPU ÷ fastify + ioredis", goal=0.7, first=1.0),
    Bar(
        key="evalsha-logged",
        text="reserve: server CPU ÷ aiohttp + `await redis.evalsha`, same log and metrics",
        goal=0.15,
        first=0.25,
    ),
    Bar(
        key="fastapi",
        text="reserve: server CPU ÷ FastAPI + pydantic + redis-py",
        goal=0.1,
        first=0.15,
    ),
    Bar(
        key="batch-spread",
        text="batch: items/s ÷ the script at -P 64, spread over resources",
        goal=0.85,
        first=0.75,
        more_is_better=True,
    ),
    Bar(
        key="batch-one",
        text="batch: items/s ÷ the script at -P 64, on one resource",
        goal=1.1,
        first=0.9,
        more_is_better=True,
    ),
    Bar(
        key="growth-appended",
        text="claim at the most live entries ÷ at the fewest, appended",
        goal=1.1,
        first=1.5,
    ),
    Bar(
        key="growth-random",
        text="claim at the most live entries ÷ at the fewest, random slot",
        goal=1.8,
        first=2.5,
    ),
    Bar(
        key="longest-stay",
        text="longest stay in Redis of one call, whatever lies in its way",
        goal=0.3,
        first=1.0,
        unit="ms",
    ),
    Bar(
        key="tail",
        text="p99 at 256 connections ÷ aiohttp + `await redis.evalsha`",
        goal=0.05,
        first=0.1,
    ),
    Bar(
        key="tail-errors",
        text="errors at 256 connections",
        goal=0,
        first=0,
    ),
    Bar(
        key="hand-off",
        text="hand-off on PostgreSQL: bookings/s ÷ bare asyncpg insert into the same table",
        goal=0.7,
        first=0.5,
        more_is_better=True,
    ),
    Bar(
        key="stampede",
        text="stampede on one slot: CPU of a loser (409) ÷ of a winner",
        goal=0.9,
        first=1.1,
    ),
    Bar(
        key="memory",
        text="Redis memory of a reservation with 300 B of JSON",
        goal=600,
        first=750,
        unit="B",
    ),
    Bar(
        key="availability-store",
        text="availability: CPU with ten times the bookings in the store ÷ with those in its weeks",
        goal=1.1,
        first=1.3,
    ),
    Bar(
        key="availability-wait",
        text="availability of 200 resources: longest wait of another request meanwhile",
        goal=20,
        first=50,
        unit="ms",
    ),
)


class Standing(Struct, frozen=True, kw_only=True):
    """A bar and where the service stands to it."""

    bar: Bar
    value: float | None
    verdict: Verdict
    note: str = ""
    """why it was not measured"""

    @property
    def shown(self) -> str:
        """The verdict for people, with the distance to the goal."""
        if self.verdict == "skipped":
            return f"{_SHOWN[self.verdict]}: {self.note}"
        distance = _distance(self.bar, self.value or 0.0)
        return _SHOWN[self.verdict] + (f", {distance}" if distance else "")


def stand(bar: Bar, value: float | str | None) -> Standing:
    """Return how `value` stands to the bar; a text says why there is none."""
    if isinstance(value, str) or value is None:
        note = value or "its row was left out"
        return Standing(bar=bar, value=None, verdict="skipped", note=note)
    if _reaches(value, bar.goal, bar):
        verdict: Verdict = "goal"
    else:
        verdict = "met" if _reaches(value, bar.first, bar) else "missed"
    return Standing(bar=bar, value=value, verdict=verdict)


def _reaches(value: float, limit: float, bar: Bar) -> bool:
    return value >= limit if bar.more_is_better else value <= limit


def _distance(bar: Bar, value: float) -> str:
    """Return how far the goal is, as the factor by which the value has to change."""
    if _reaches(value, bar.goal, bar) or not bar.goal or not value:
        return ""
    factor = bar.goal / value if bar.more_is_better else value / bar.goal
    return f"the goal is {factor:.2f} × away"
