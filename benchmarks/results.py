"""What a run comes to: tables, and values for the bars."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from benchmarks.bars import Standing
from benchmarks.bench import Bench
from benchmarks.measured import Measured
from benchmarks.plan import Plan

Value = float | str
"""of a bar; a text says why there is none"""


class Table(Struct, frozen=True, kw_only=True):
    """One table of the report, all of it as text."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


class Findings(Struct, kw_only=True):
    """What one row of the benchmark found."""

    tables: list[Table] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    """by the key of the bar"""
    measured: list[Measured] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """sentences about what could not be measured"""


class Row(Protocol):
    """A module of `benchmarks.rows`."""

    def seconds(self, plan: Plan) -> float:
        """Return how long it takes, by estimate."""
        ...

    def run(self, bench: Bench) -> Findings:
        """Measure."""
        ...


class Results(Struct, frozen=True, kw_only=True):
    """A whole run; what the JSON file holds."""

    plan: Plan
    measured_on: str
    """the date, in UTC"""
    commit: str
    machine: dict[str, str]
    standings: list[Standing]
    tables: list[Table]
    measured: list[Measured]
    notes: list[str]
    others: float
    """median share of the cores that went to processes which are not part of the benchmark"""
